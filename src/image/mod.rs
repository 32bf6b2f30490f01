//! Registry to root file system: fetch, verify, unpack, stack. Knows no jobs and no containers' lives.
