//! The command line: docker's names, flags, output and exit codes over the same engine.
