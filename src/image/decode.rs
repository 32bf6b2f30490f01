//! Bytes of a layer as shipped to bytes of its tar: gzip, zstd or plain, told apart by magic, bounded against bombs.

use super::limits;
use std::io::{self, BufRead, BufReader, Read};

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
    Plain,
}

impl Compression {
    /// The media type of an OCI layer compressed so.
    pub fn media_type(self) -> &'static str {
        match self {
            Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
            Compression::Plain => "application/vnd.oci.image.layer.v1.tar",
        }
    }
}

enum Inner<R: BufRead> {
    Gzip(Box<flate2::bufread::MultiGzDecoder<R>>),
    Zstd(Box<zstd::Decoder<'static, R>>),
    Plain(R),
}

/// Inflates, and refuses to go on when the output outgrows [`Bound`].
pub struct Decoder<R: Read> {
    inner: Inner<BufReader<R>>,
    compression: Compression,
    left: u64,
    too_much: TooMuch,
}

/// How much may come out of a layer.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    pub bytes: u64,
    /// What it means when more comes.
    pub beyond: TooMuch,
}

impl Bound {
    /// For a blob of `shipped` bytes on a disk with `free` bytes.
    pub fn new(shipped: u64, free: u64) -> Bound {
        let fair = shipped.saturating_mul(limits::UNPACKED_RATIO).max(limits::UNPACKED_FREE);
        match free < fair {
            true => Bound { bytes: free, beyond: TooMuch::NoSpace },
            false => Bound { bytes: fair, beyond: TooMuch::Bomb },
        }
    }
}

/// The error a [`Decoder`] ends with when its bound is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    #[error("it unpacks to more than {} times its size", limits::UNPACKED_RATIO)]
    Bomb,
    #[error("it unpacks to more than is free here")]
    NoSpace,
}

impl<R: Read> Decoder<R> {
    pub fn new(source: R, bound: Bound) -> io::Result<Decoder<R>> {
        let mut source = BufReader::with_capacity(128 << 10, source);
        let magic = source.fill_buf()?;
        let compression = match magic {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            [b'B', b'Z', b'h', ..] => return Err(unsupported("bzip2")),
            [0xfd, b'7', b'z', b'X', b'Z', ..] => return Err(unsupported("xz")),
            _ => Compression::Plain,
        };
        let inner = match compression {
            Compression::Gzip => Inner::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(source))),
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(source)?;
                decoder.window_log_max(limits::ZSTD_WINDOW_LOG)?;
                Inner::Zstd(Box::new(decoder))
            }
            Compression::Plain => Inner::Plain(source),
        };
        Ok(Decoder { inner, compression, left: bound.bytes, too_much: bound.beyond })
    }

    pub fn compression(&self) -> Compression {
        self.compression
    }
}

fn unsupported(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("{what} compression is not used by any image format"))
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.inner {
            Inner::Gzip(d) => d.read(into),
            Inner::Zstd(d) => d.read(into),
            Inner::Plain(d) => d.read(into),
        }?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| io::Error::other(self.too_much))?;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        e.write_all(data).unwrap();
        e.finish().unwrap()
    }

    fn decode(data: &[u8], bytes: u64) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Decoder::new(data, Bound { bytes, beyond: TooMuch::Bomb })?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn several_members_and_frames_are_one_stream() {
        let two = [gzip(b"ab"), gzip(b"cd")].concat();
        assert_eq!(decode(&two, 9).unwrap(), b"abcd");
        let two = [zstd::encode_all(&b"ab"[..], 3).unwrap(), zstd::encode_all(&b"cd"[..], 3).unwrap()].concat();
        assert_eq!(decode(&two, 9).unwrap(), b"abcd");
        assert_eq!(decode(b"plain", 9).unwrap(), b"plain");
    }

    #[test]
    fn garbage_truncation_and_bombs_are_errors() {
        assert!(decode(&[gzip(b"ab"), b"noise".to_vec()].concat(), 99).is_err());
        let whole = gzip(&[7; 5000]);
        assert!(decode(&whole[..whole.len() - 4], 9999).is_err());
        let bomb = decode(&gzip(&vec![0; 1 << 20]), 1000).unwrap_err();
        assert!(bomb.get_ref().is_some_and(|e| e.is::<TooMuch>()), "{bomb}");
        assert!(decode(b"BZh91AY", 99).is_err());
        assert_eq!(Bound::new(1, u64::MAX).bytes, limits::UNPACKED_FREE);
        let full = Bound::new(1 << 40, 77);
        assert_eq!((full.bytes, full.beyond), (77, TooMuch::NoSpace));
    }
}
