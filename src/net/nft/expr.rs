//! The expressions rules are made of: each loads a register, or compares one, or decides.

use crate::net::attribute::Attributes;

/// A packet's data goes through registers of four bytes; sixteen-byte values begin at every fourth.
pub const REGISTER_BYTES: usize = 4;

/// A register by its first four bytes: `Register(0)` to `Register(15)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register(pub u32);

impl Register {
    /// The kernel's number.
    fn number(self) -> u32 {
        const FIRST: u32 = 8;
        FIRST + self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    InIndex = 4,
    InName = 6,
    OutName = 7,
    Family = 15,
    Protocol = 16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    Network = 1,
    Transport = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Source = 1,
    Destination = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    State = 0,
    Status = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    Drop,
    Return,
    Jump(&'static str),
}

/// `NFPROTO_IPV4`, `NFPROTO_IPV6`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Four = 2,
    Six = 10,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    Meta(Meta, Register),
    Payload {
        base: Base,
        offset: u32,
        length: u32,
        to: Register,
    },
    /// Puts two bytes of the register into the transport header, whose checksum is at `checksum`.
    Write {
        from: Register,
        offset: u32,
        checksum: u32,
    },
    /// The rule ends here unless the register's bytes are (`equal`), or are not, those.
    Compare {
        register: Register,
        equal: bool,
        value: Vec<u8>,
    },
    /// Puts the bytes into the register.
    Value {
        register: Register,
        value: Vec<u8>,
    },
    /// Keeps only the bits of the mask.
    Mask {
        register: Register,
        mask: Vec<u8>,
    },
    /// The rule ends here unless the key is in the set; a map's data go to `to`.
    Lookup {
        set: &'static str,
        key: Register,
        to: Option<Register>,
    },
    NotIn {
        set: &'static str,
        key: Register,
    },
    /// What kind of address the packet's source or destination is for this machine (`RTN_LOCAL`, ...).
    AddressKind(End, Register),
    Track(Track, Register),
    Destination {
        family: Family,
        address: Register,
        port: Register,
    },
    Masquerade,
    Verdict(Verdict),
}

impl Expr {
    /// Name and content.
    pub fn attributes(&self) -> Attributes {
        let (name, data) = self.parts();
        Attributes::default().text(1, name).nested(2, &data)
    }

    fn parts(&self) -> (&'static str, Attributes) {
        let a = Attributes::default();
        let value = |bytes: &[u8]| Attributes::default().bytes(1, bytes);
        match self {
            Expr::Meta(key, to) => ("meta", a.be32(2, *key as u32).be32(1, to.number())),
            Expr::Payload { base, offset, length, to } => {
                ("payload", a.be32(1, to.number()).be32(2, *base as u32).be32(3, *offset).be32(4, *length))
            }
            Expr::Write { from, offset, checksum } => {
                const INTERNET_CHECKSUM: u32 = 1;
                let place = a.be32(5, from.number()).be32(2, Base::Transport as u32).be32(3, *offset).be32(4, 2);
                ("payload", place.be32(6, INTERNET_CHECKSUM).be32(7, *checksum))
            }
            Expr::Compare { register, equal, value: with } => {
                ("cmp", a.be32(1, register.number()).be32(2, u32::from(!equal)).nested(3, &value(with)))
            }
            Expr::Value { register, value: with } => {
                ("immediate", a.be32(1, register.number()).nested(2, &value(with)))
            }
            Expr::Mask { register, mask } => {
                let bits = a.be32(1, register.number()).be32(2, register.number()).be32(3, mask.len() as u32);
                ("bitwise", bits.nested(4, &value(mask)).nested(5, &value(&vec![0; mask.len()])))
            }
            Expr::Lookup { set, key, to } => {
                let found = a.text(1, set).be32(2, key.number());
                ("lookup", if let Some(to) = to { found.be32(3, to.number()) } else { found })
            }
            Expr::NotIn { set, key } => {
                const INVERTED: u32 = 1;
                ("lookup", a.text(1, set).be32(2, key.number()).be32(5, INVERTED))
            }
            Expr::AddressKind(end, to) => {
                const ADDRESS_TYPE: u32 = 3;
                ("fib", a.be32(1, to.number()).be32(2, ADDRESS_TYPE).be32(3, *end as u32))
            }
            Expr::Track(key, to) => ("ct", a.be32(1, to.number()).be32(2, *key as u32)),
            Expr::Destination { family, address, port } => {
                const DNAT: u32 = 1;
                let to = a.be32(1, DNAT).be32(2, *family as u32).be32(3, address.number()).be32(4, address.number());
                ("nat", to.be32(5, port.number()).be32(6, port.number()))
            }
            Expr::Masquerade => ("masq", a),
            Expr::Verdict(verdict) => {
                const VERDICT_REGISTER: u32 = 0;
                let data = Attributes::default().nested(2, &verdict.attributes());
                ("immediate", a.be32(1, VERDICT_REGISTER).nested(2, &data))
            }
        }
    }
}

impl Verdict {
    fn attributes(self) -> Attributes {
        const CODE: u16 = 1;
        const CHAIN: u16 = 2;
        const JUMP: i32 = -3;
        const RETURN: i32 = -5;
        let a = Attributes::default();
        match self {
            Verdict::Accept => a.be32(CODE, 1),
            Verdict::Drop => a.be32(CODE, 0),
            Verdict::Return => a.be32(CODE, RETURN.cast_unsigned()),
            Verdict::Jump(chain) => a.be32(CODE, JUMP.cast_unsigned()).text(CHAIN, chain),
        }
    }
}
