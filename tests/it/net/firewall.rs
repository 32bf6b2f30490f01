//! The table as `nft` shows it, and that nobody else's is touched.

use super::world::{endpoint, foreign_rules, output, start, tcp, world};
use crate::needs;
use teu::net::cleanup;

#[test]
fn the_table_is_what_nft_would_write() {
    needs!(Netns, Nft);
    world(|_| {
        let mut inner = endpoint(2, 2);
        inner.internal = true;
        let ports = vec![tcp("127.0.0.1", 8080, 80), tcp("0.0.0.0", 8081, 80), tcp("::", 8081, 80)];
        let one = start(1, vec![endpoint(1, 2), inner], ports);
        insta::assert_snapshot!(output("nft list table inet teu-7e57"));
        // What nft shows it can read again.
        output("nft list ruleset | nft -c -f -");
        drop(one);
    });
}

#[test]
fn other_tables_stay_as_they_are() {
    needs!(Netns, Nft);
    world(|_| {
        output(
            "nft add table inet host; nft add chain inet host forward '{ type filter hook forward priority 0; policy drop; }'; \
             nft add rule inet host forward tcp dport 22 accept; nft add table inet teu; nft add chain inet teu mine; \
             nft add table inet teu-7e58; nft add set inet teu-7e58 bridges '{ type ifname; elements = { tb1 } }'",
        );
        let before = output("nft list ruleset");
        let one = start(1, vec![endpoint(1, 2)], vec![tcp("127.0.0.1", 8080, 80)]);
        assert_eq!(foreign_rules(), before);
        cleanup::dead(&Default::default(), "7e57").unwrap();
        assert!(one.down().is_empty());
        assert_eq!(foreign_rules(), before);
        cleanup::table("7e57").unwrap();
        assert_eq!(output("nft list ruleset"), before);
    });
}

/// The host's own firewall has the last word on what is forwarded.
#[test]
fn the_hosts_policy_wins() {
    needs!(Netns, Nft);
    world(|w| {
        use super::world::{HOST, OUTSIDE, ask, serve, silence};
        let web = start(1, vec![endpoint(1, 2)], vec![tcp("0.0.0.0", 8080, 80)]);
        serve(web.ns(), "web", 80);
        output(
            "nft add table inet host; nft add chain inet host forward '{ type filter hook forward priority 0; policy drop; }'",
        );
        silence(Some(&w.outside), HOST, 8080);
        output(
            "nft add rule inet host forward ct status dnat accept; nft add rule inet host forward ct state established accept",
        );
        assert_eq!(ask(Some(&w.outside), HOST, 8080).unwrap(), format!("web sees {OUTSIDE}"));
    });
}

#[test]
fn a_machine_that_drops_what_is_forwarded_is_named_by_who_makes_the_table() {
    needs!(Netns, Nft);
    world(|_| {
        let told = |id: u8| {
            let web = start(id.into(), vec![endpoint(1, id)], Vec::new());
            let ours = |w: &&String| !w.contains("forwarding was off");
            let told = web.warnings().iter().filter(ours).cloned().collect::<String>();
            assert!(web.down().is_empty());
            told
        };
        let anew = || output("nft delete table inet teu-7e57");
        assert_eq!(told(2), "");
        output(
            "nft add table ip filter; nft add chain ip filter FORWARD '{ type filter hook forward priority 0; policy drop; }'",
        );
        // Who finds the table there has nothing new to tell.
        assert_eq!(told(3), "");
        anew();
        let words = "drops what is forwarded (chain ip filter FORWARD): containers on tb1 neither reach the outside";
        assert!(told(4).contains(words));
        for rule in ["iifname tb1 accept", "oifname \\\"tb*\\\" accept"] {
            output(&format!("nft flush chain ip filter FORWARD; nft add rule ip filter FORWARD {rule}"));
            anew();
            assert_eq!(told(5), "", "{rule}");
        }
        output("nft flush chain ip filter FORWARD; nft add rule ip filter FORWARD iifname tb12 accept");
        anew();
        assert!(told(6).contains(words));
        output("nft add chain ip filter FORWARD '{ policy accept; }'");
        anew();
        assert_eq!(told(7), "");
    });
}
