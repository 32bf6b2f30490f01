//! A container that is checked shows what the check says.

use super::{fixture, screen};
use fixture::NOW;
use std::sync::Arc;
use teu::engine::{ContainerEntry, Inventory};
use teu::model::event::EventRecord;
use teu::model::health::{Health, HealthStatus};
use teu::tui::app::Msg;

#[test]
fn health_is_a_mark_beside_the_state_and_its_loss_is_told() {
    let mut app = fixture::app(120, 36);
    let mut shows = |name: &str, status: HealthStatus| {
        let mut inventory: Inventory = fixture::inventory();
        for entry in inventory.containers.iter_mut().filter(|c| c.container.name == name) {
            let mut changed: ContainerEntry = (**entry).clone();
            changed.state.health = Some(Health { status, ..Health::default() });
            *entry = Arc::new(changed);
        }
        app.update(Msg::Inventory(Arc::new(inventory)), NOW);
        let drawn = screen(&mut app);
        drawn.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned()
    };
    assert!(shows("web", HealthStatus::Starting).contains("▶…"));
    assert!(shows("web", HealthStatus::Healthy).contains("▶+"));
    assert!(shows("web", HealthStatus::Unhealthy).contains("▶✗"));
    let migrate = shows("migrate", HealthStatus::Unhealthy);
    assert!(migrate.contains("■ ") && !migrate.contains('✗'), "what has ended is not checked: {migrate}");
    let event = EventRecord {
        time: NOW,
        kind: "container".into(),
        action: "health_status: unhealthy".into(),
        id: "x".into(),
        attributes: [("name".to_owned(), "web".to_owned())].into(),
    };
    app.update(Msg::Event(Arc::new(event)), NOW);
    assert!(screen(&mut app).contains("web is unhealthy"));
}
