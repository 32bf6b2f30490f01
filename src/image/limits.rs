//! How much a registry or an archive may make us do. One table, so that no number hides in code.

/// Largest manifest or index read, as the distribution specification asks for at least.
pub const MANIFEST_BYTES: u64 = 4 << 20;
/// Largest image configuration read.
pub const CONFIG_BYTES: u64 = 8 << 20;
/// Nesting of JSON documents from outside.
pub const JSON_DEPTH: usize = 64;
/// Layers of one image: overlay takes 500.
pub const LAYERS: usize = 500;
/// Token and error bodies.
pub const ANSWER_BYTES: u64 = 1 << 20;
/// Pages of one tag list, and tags in all.
pub const TAG_PAGES: usize = 1000;
pub const TAGS: usize = 100_000;

/// Entries of one layer.
pub const ENTRIES: u64 = 4_000_000;
/// Bytes of the headers that describe one entry: long names, pax records, sparse maps.
pub const ENTRY_HEADERS: usize = 1 << 20;
/// Bytes of directory names kept until the end of a layer, when their attributes are set.
pub const DIRECTORY_NAMES: usize = 128 << 20;
/// Bytes of one path, as the kernel's PATH_MAX.
pub const PATH: usize = 4095;
/// Bytes of one component, as NAME_MAX.
pub const NAME: usize = 255;
/// Apparent size of one sparse file: its holes cost time even if no space.
pub const SPARSE_FILE: u64 = 64 << 30;

/// A layer may unpack to this much whatever its size as shipped...
pub const UNPACKED_FREE: u64 = 1 << 30;
/// ...and beyond that to this many times it.
pub const UNPACKED_RATIO: u64 = 200;
/// Largest window of a zstd frame, as a power of two (128 MiB: what `zstd --long` makes).
pub const ZSTD_WINDOW_LOG: u32 = 27;
