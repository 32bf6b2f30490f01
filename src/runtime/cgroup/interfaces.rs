//! The counters of a network namespace's interfaces, as `/proc/PID/net/dev` has them.

use crate::model::stats::Sample;

/// Adds up the counters of every interface but the loopback: bytes, packets and drops are the first, second and fourth
/// column of what was received, and of what was sent.
pub(super) fn interfaces(text: &str, sample: &mut Sample) {
    let mut total = [0u64; 12];
    for (name, counts) in text.lines().filter_map(|line| line.split_once(':')) {
        if name.trim() != "lo" {
            for (sum, count) in total.iter_mut().zip(counts.split_ascii_whitespace()) {
                *sum = sum.saturating_add(count.parse().unwrap_or(0));
            }
        }
    }
    let [rx, rx_packets, _, rx_dropped, _, _, _, _, tx, tx_packets, _, tx_dropped] = total;
    (sample.net_rx, sample.net_tx) = (rx, tx);
    (sample.net_rx_packets, sample.net_tx_packets) = (Some(rx_packets), Some(tx_packets));
    (sample.net_rx_dropped, sample.net_tx_dropped) = (Some(rx_dropped), Some(tx_dropped));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_interfaces() {
        let text = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes\n    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n  \
                    eth0: 100 3 1 2 0 0 0 0 50 4 0 5 0 0 0 0\n  eth1:1 1 0 1 0 0 0 9 2 2 0 0 0 0 0 0\n";
        let mut sample = Sample::default();
        interfaces(text, &mut sample);
        assert_eq!((sample.net_rx, sample.net_tx), (101, 52));
        assert_eq!((sample.net_rx_packets, sample.net_tx_packets), (Some(4), Some(6)));
        assert_eq!((sample.net_rx_dropped, sample.net_tx_dropped), (Some(3), Some(5)));
    }
}
