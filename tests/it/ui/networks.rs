//! The page of networks: who is on them, who can reach which port, and what is done to them.

use super::{fixture, press, screen, submitted, ticket, type_text};
use fixture::NOW;
use std::sync::Arc;
use teu::engine::{ContainerEntry, Inventory, Output, Request};
use teu::model::container::Status;
use teu::model::network::{Driver, Endpoint, EndpointConfig, Network, NetworkMode, Protocol, PublishedPort, Subnet};
use teu::model::time::Timestamp;
use teu::tui::app::{App, Cmd, Msg};

fn network(name: &str, driver: Driver, subnet: &str) -> Arc<Network> {
    let subnets = subnet.split_whitespace().map(|text| Subnet {
        subnet: text.parse().unwrap(),
        gateway: "10.0.0.1".parse().unwrap(),
        range: None,
        auxiliary: Default::default(),
    });
    Arc::new(Network {
        id: format!("{name:0>64}"),
        name: name.into(),
        driver,
        subnets: subnets.collect(),
        internal: name == "back",
        ipv6: false,
        attachable: false,
        labels: Default::default(),
        options: Default::default(),
        created: Timestamp(0),
    })
}

fn join(entry: &mut ContainerEntry, network: &str, v4: &str, alias: &str) {
    entry.container.config.network = NetworkMode::Attached;
    entry.container.config.endpoints.push(EndpointConfig { network: network.into(), ..EndpointConfig::default() });
    if entry.state.status == Status::Exited {
        return;
    }
    entry.state.endpoints.push(Endpoint {
        network: format!("{network:0>64}"),
        name: network.into(),
        interface: "eth0".into(),
        mac: None,
        v4: v4.parse().ok(),
        v6: None,
        gateway4: None,
        gateway6: None,
        names: vec![entry.container.name.clone(), entry.container.id.short().into(), alias.into()],
    });
}

/// `web` and `api` on a network each and one together, with ports; `crashy` was on it too.
fn networked() -> Inventory {
    let mut inventory = fixture::inventory();
    inventory.revision = 2;
    inventory.networks = vec![
        network("back", Driver::Bridge, "10.6.0.0/24 fd06::/64"),
        network("bridge", Driver::Bridge, "172.17.0.0/16"),
        network("front", Driver::Bridge, "10.5.0.0/24"),
        network("host", Driver::Host, ""),
        network("spare", Driver::Macvlan, "192.0.2.0/24"),
    ];
    let port = |ip: &str, host_port, container_port, protocol| PublishedPort {
        host_ip: ip.parse().unwrap(),
        host_port,
        container_port,
        protocol,
    };
    for entry in &mut inventory.containers {
        let entry = Arc::make_mut(entry);
        match entry.container.name.as_str() {
            "web" => {
                join(entry, "front", "10.5.0.2/24", "shop");
                join(entry, "back", "10.6.0.2/24", "shop");
                entry.state.ports = vec![
                    port("127.0.0.1", 8080, 80, Protocol::Tcp),
                    port("0.0.0.0", 8443, 443, Protocol::Tcp),
                    port("192.0.2.7", 5353, 53, Protocol::Udp),
                ];
            }
            "api" => {
                join(entry, "front", "10.5.0.3/24", "api");
                entry.state.ports = vec![port("127.0.0.1", 9000, 9000, Protocol::Tcp)];
            }
            "crashy" => join(entry, "front", "", ""),
            "db" => entry.container.config.network = NetworkMode::Host,
            _ => {}
        }
    }
    inventory
}

fn page(width: u16, height: u16) -> App {
    let mut app = fixture::app(width, height);
    app.update(Msg::Inventory(Arc::new(networked())), NOW);
    press(&mut app, "f6");
    app
}

/// The engine has done what it was asked.
fn done(app: &mut App, cmds: &[Cmd]) {
    app.update(Msg::Done(ticket(cmds), Ok(Output::Nothing)), NOW);
}

fn browsed(cmds: &[Cmd]) -> Vec<&str> {
    cmds.iter().filter_map(|c| if let Cmd::Browse(url) = c { Some(url.as_str()) } else { None }).collect()
}

#[test]
fn the_page_as_drawn() {
    let mut app = page(120, 36);
    press(&mut app, "j");
    snapshot!("ui_networks_120x36", screen(&mut app));
    snapshot!("ui_networks_80x24", screen(&mut page(80, 24)));
    press(&mut app, "?");
    assert!(screen(&mut app).contains("make a new network"));
    press(&mut app, "esc");
    assert!(screen(&mut app).contains("━ Networks ━"), "{}", screen(&mut app));
    press(&mut app, "q");
    assert!(!screen(&mut app).contains("━ Networks ━"));
}

/// Who joined another's network is told with it, or why it is there no more.
#[test]
fn who_shares_a_network_is_among_its_members() {
    let mut inventory = networked();
    inventory.networks.push(network("none", Driver::Null, ""));
    for (name, owner) in [("worker-1", 3), ("batch", 1), ("migrate", 3), ("cache", 3)] {
        let entry = inventory.containers.iter_mut().find(|e| e.container.name == name).unwrap();
        Arc::make_mut(entry).container.config.network = NetworkMode::Container(fixture::id(owner).to_string());
    }
    // Of one that is removed.
    let mut orphan = (*inventory.containers[0]).clone();
    orphan.container.id = fixture::id(99);
    orphan.container.name = "orphan".into();
    orphan.container.config.network = NetworkMode::Container(fixture::id(98).to_string());
    inventory.containers.push(Arc::new(orphan));
    let mut app = fixture::app(120, 36);
    app.update(Msg::Inventory(Arc::new(inventory)), NOW);
    press(&mut app, "f6");
    snapshot!("ui_sharers_120x36", screen(&mut app));
    // back, web, worker-1: web's ports are its, web's networks are not its to leave.
    press(&mut app, "j j w");
    assert!(screen(&mut app).contains("web port 443"), "{}", screen(&mut app));
    press(&mut app, "esc x");
    assert!(screen(&mut app).contains("worker-1 shares web's network"), "{}", screen(&mut app));
    press(&mut app, "enter");
    assert!(screen(&mut app).contains("▸ worker-1"), "{}", screen(&mut app));
}

/// In every layout, with who reaches them; what has ended needs the room for how it ended.
#[test]
fn ports_have_a_column() {
    let published = |width, height| {
        let mut app = fixture::app(width, height);
        app.update(Msg::Inventory(Arc::new(networked())), NOW);
        screen(&mut app)
    };
    let text = published(120, 36);
    snapshot!("ui_ports_120x36", text);
    assert!(text.contains("PORTS") && text.contains("*:8443… +2") && text.contains(" 9000→9000 "), "{text}");
    snapshot!("ui_ports_80x24", published(80, 24));
    for (width, height) in [(60, 15), (72, 20), (110, 29), (180, 50)] {
        let text = published(width, height);
        assert!(text.contains("PORTS") && text.contains("*:8443"), "{text}");
    }
    // The least there is leaves the name and the figures as they are.
    assert!(!published(40, 12).contains("PORTS"));
    let mut app = fixture::app(120, 36);
    app.update(Msg::Inventory(Arc::new(networked())), NOW);
    press(&mut app, "?");
    type_text(&mut app, "*:");
    let text = screen(&mut app);
    assert!(text.contains("*:8080→80  everyone who reaches this machine"), "{text}");
}

/// The page of settings has them in full.
#[test]
fn settings_name_networks_and_ports() {
    let mut app = fixture::app(120, 36);
    app.update(Msg::Inventory(Arc::new(networked())), NOW);
    press(&mut app, "j j j j j ] ] ]");
    let text = screen(&mut app);
    assert!(text.contains("network front, back"), "{text}");
    assert!(text.contains("port    0.0.0.0:8443->443/tcp  everyone who reaches this machine"), "{text}");
}

#[test]
fn a_port_is_opened_and_one_of_several_chosen() {
    let mut app = page(120, 36);
    // The last rows of `front`: api's only port.
    press(&mut app, "j j j j");
    assert!(browsed(&press(&mut app, "j")).is_empty());
    let cmds = press(&mut app, "w");
    assert_eq!(browsed(&cmds), ["http://127.0.0.1:9000"], "{}", screen(&mut app));
    // web has two that a browser can open, and one that it cannot.
    press(&mut app, "j");
    assert!(browsed(&press(&mut app, "w")).is_empty());
    assert!(screen(&mut app).contains("web port 443"), "{}", screen(&mut app));
    assert_eq!(browsed(&press(&mut app, "down enter")), ["https://localhost:8443"]);
    press(&mut app, "j j j");
    assert!(browsed(&press(&mut app, "w")).is_empty());
    assert!(screen(&mut app).contains("no TCP port"), "{}", screen(&mut app));
    // From the list of containers too.
    let mut app = fixture::app(120, 36);
    app.update(Msg::Inventory(Arc::new(networked())), NOW);
    press(&mut app, "j j j j");
    assert_eq!(browsed(&press(&mut app, "w")), ["http://127.0.0.1:9000"]);
}

#[test]
fn networks_are_made_and_containers_connected_by_forms() {
    let mut app = page(120, 36);
    press(&mut app, "n");
    // Nothing is wrong yet.
    let text = screen(&mut app);
    assert!(text.contains("name: what is it to be called?") && !text.contains("invalid"), "{text}");
    type_text(&mut app, "lan");
    press(&mut app, "tab tab");
    type_text(&mut app, "10.9.0.0/24");
    snapshot!("ui_network_form_120x36", screen(&mut app));
    let cmds = press(&mut app, "enter");
    let requests = submitted(&cmds);
    let [Request::CreateNetwork(args)] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((args.name.as_str(), args.subnets[0].to_string().as_str()), ("lan", "10.9.0.0/24"));
    done(&mut app, &cmds);
    press(&mut app, "c");
    let cmds = press(&mut app, "enter");
    let requests = submitted(&cmds);
    let [Request::ConnectNetwork(args)] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((args.container.as_str(), args.endpoint.network.as_str()), ("crashy", "back"));
    done(&mut app, &cmds);
    // Nobody is connected to the host's own.
    press(&mut app, "end k k c");
    assert!(screen(&mut app).contains("from its start or never"), "{}", screen(&mut app));
    let cmds = press(&mut app, "r");
    assert!(matches!(submitted(&cmds)[..], [Request::ReloadNetworks(_)]));
}

#[test]
fn what_is_lost_is_asked_about_first() {
    let mut app = page(120, 36);
    assert!(submitted(&press(&mut app, "D")).is_empty());
    assert!(screen(&mut app).contains("back is in use by web"), "{}", screen(&mut app));
    assert!(submitted(&press(&mut app, "x")).is_empty());
    assert!(screen(&mut app).contains("choose a container"), "{}", screen(&mut app));
    press(&mut app, "j x");
    snapshot!("ui_disconnect_120x36", screen(&mut app));
    let cmds = press(&mut app, "y");
    let requests = submitted(&cmds);
    let [Request::DisconnectNetwork { network, container, force: false }] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!((network.as_str(), container.as_str()), ("back", "web"));
    done(&mut app, &cmds);
    press(&mut app, "j D");
    assert!(screen(&mut app).contains("bridge is always there"), "{}", screen(&mut app));
    press(&mut app, "end D");
    assert!(screen(&mut app).contains("Remove network spare?"), "{}", screen(&mut app));
    let cmds = press(&mut app, "y");
    assert!(matches!(&submitted(&cmds)[..], [Request::RemoveNetworks { networks, .. }] if networks == &["spare"]));
    done(&mut app, &cmds);
    press(&mut app, "U");
    assert!(screen(&mut app).contains("No container is to be on: spare"), "{}", screen(&mut app));
    let cmds = press(&mut app, "tab enter");
    assert!(matches!(submitted(&cmds)[..], [Request::Prune(args)] if args.networks && !args.images));
}

/// The palette knows the same acts, and opens the page for them.
#[test]
fn the_palette_reaches_networks() {
    let mut app = fixture::app(120, 36);
    app.update(Msg::Inventory(Arc::new(networked())), NOW);
    press(&mut app, ":");
    type_text(&mut app, "network-new");
    press(&mut app, "enter");
    assert!(screen(&mut app).contains("Make a network"), "{}", screen(&mut app));
    press(&mut app, "esc");
    assert!(screen(&mut app).contains("━ Networks ━"), "{}", screen(&mut app));
}

/// The selection stays on its network while others come and go.
#[test]
fn the_selection_stays_where_it_was() {
    let mut app = page(120, 36);
    press(&mut app, "end");
    let mut later = networked();
    later.revision = 3;
    later.networks.remove(0);
    app.update(Msg::Inventory(Arc::new(later)), NOW);
    press(&mut app, "D");
    assert!(screen(&mut app).contains("Remove network spare?"), "{}", screen(&mut app));
}
