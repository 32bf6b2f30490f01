//! Rows survive the way to disk and back; names stay unique.

use super::*;
use crate::model::container::ContainerConfig;
use crate::model::network::Network;
use crate::store::{Db, StateRoot};
use std::net::IpAddr;

fn db() -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&StateRoot::new(dir.path().join("data"), dir.path().join("run"))).unwrap();
    (dir, db)
}

fn an_image(name: &str) -> Image {
    Image {
        id: Digest::of(name.as_bytes()),
        manifest: Digest::of(b"manifest"),
        references: vec![name.parse().unwrap()],
        repo_digests: Vec::new(),
        created: None,
        stored: Timestamp(5),
        size: 7,
        architecture: "amd64".into(),
        os: "linux".into(),
        variant: String::new(),
        layers: Vec::new(),
        config_json: "{}".into(),
    }
}

fn a_container(name: &str, image: &Image) -> Container {
    Container {
        id: ContainerId::random(),
        name: name.into(),
        image: image.id.clone(),
        image_ref: "a".into(),
        created: Timestamp(1),
        config: ContainerConfig::default(),
    }
}

#[test]
fn containers_come_back_by_name_id_and_prefix() {
    let (_dir, db) = db();
    let image = an_image("a");
    let container = a_container("web", &image);
    let busy = Some(Busy::Create(Owner::this()));
    db.write(|t| {
        put_image(t, &image)?;
        insert_container(t, &container, busy)
    })
    .unwrap();
    let row = db.read(|c| container_by_name(c, "web")).unwrap().unwrap();
    assert_eq!((row.container, row.busy), (container.clone(), busy));
    assert_eq!(db.read(|c| containers_by_prefix(c, &container.id.as_str()[..3], 2)).unwrap().len(), 1);
    let error = db.write(|t| insert_container(t, &a_container("web", &image), None)).unwrap_err();
    assert!(matches!(error, Error::NameTaken { .. }));
    db.write(|t| rename_container(t, &container.id, "www")).unwrap();
    assert!(db.read(|c| container_by_name(c, "web")).unwrap().is_none());
    assert_eq!(db.read(|c| super::container(c, container.id.as_str())).unwrap().unwrap().container.name, "www");
    db.write(|t| delete_container(t, container.id.as_str())).unwrap();
    db.write(|t| insert_container(t, &a_container("www", &image), None)).unwrap();
}

#[test]
fn a_container_of_a_removed_image_is_refused() {
    let (_dir, db) = db();
    let error = db.write(|t| insert_container(t, &a_container("x", &an_image("a")), None)).unwrap_err();
    assert!(matches!(error, Error::Gone { .. }), "{error}");
}

#[test]
fn a_reference_moves_to_the_newer_image() {
    let (_dir, db) = db();
    let (old, mut new) = (an_image("a"), an_image("b"));
    new.references = old.references.clone();
    db.write(|t| put_image(t, &old).and_then(|()| put_image(t, &new))).unwrap();
    let name = &old.references[0];
    assert_eq!(db.read(|c| image_by_reference(c, name)).unwrap().unwrap().id, new.id);
    assert!(db.read(|c| super::image(c, &old.id)).unwrap().unwrap().references.is_empty());
    assert_eq!(db.read(|c| image_ids_by_prefix(c, &old.id.hex()[..4], 2)).unwrap(), [old.id]);
}

#[test]
fn jobs_are_listed_newest_first_and_trimmed() {
    let (_dir, db) = db();
    let row = |id: u64| JobRow {
        id,
        parent: None,
        name: "pull".into(),
        subject: "a".into(),
        status: JobRow::RUNNING.into(),
        error: None,
        started: Timestamp(id as i64),
        ended: None,
        owner: Owner::this(),
    };
    db.write(|t| (1..=5).try_for_each(|id| put_job(t, &row(id)))).unwrap();
    db.write(|t| put_job(t, &JobRow { status: "done".into(), ..row(5) })).unwrap();
    db.write(|t| delete_jobs_before(t, 2)).unwrap();
    let rows = db.read(|c| jobs(c, 10)).unwrap();
    assert_eq!(rows.iter().map(|r| (r.id, r.status.as_str())).collect::<Vec<_>>(), [(5, "done"), (4, "running")]);
}

fn a_network(name: &str) -> Network {
    Network {
        id: ContainerId::random().to_string(),
        name: name.into(),
        driver: crate::model::network::Driver::Bridge,
        subnets: Vec::new(),
        internal: false,
        attachable: false,
        ipv6: false,
        labels: Default::default(),
        options: Default::default(),
        created: Timestamp(1),
    }
}

#[test]
fn networks_have_one_name_each_and_take_their_leases_with_them() {
    let (_dir, db) = db();
    let (image, network) = (an_image("a"), a_network("web"));
    let container = a_container("c", &image);
    let address: IpAddr = "10.0.0.2".parse().unwrap();
    let lease = Lease { network: network.id.clone(), address, container: container.id.clone(), starting: None };
    db.write(|t| {
        put_image(t, &image)?;
        insert_container(t, &container, None)?;
        assert!(insert_network(t, &network)? && !insert_network(t, &a_network("web"))?);
        put_lease(t, &lease)
    })
    .unwrap();
    assert_eq!(db.read(|c| network_by_name(c, "web")).unwrap(), Some(network.clone()));
    assert_eq!(db.read(|c| lease_at(c, &network.id, address)).unwrap(), Some(lease.clone()));
    db.write(|t| delete_container(t, container.id.as_str())).unwrap();
    assert_eq!(db.read(leases).unwrap(), []);
    db.write(|t| insert_container(t, &container, None).and_then(|()| put_lease(t, &lease))).unwrap();
    assert!(db.write(|t| delete_network(t, &network.id)).unwrap());
    assert_eq!(db.read(leases).unwrap(), []);
}

#[test]
fn addresses_are_handed_out_upwards_then_from_the_gaps() {
    let (_dir, db) = db();
    let (image, network) = (an_image("a"), a_network("web"));
    let container = a_container("c", &image);
    db.write(|t| {
        put_image(t, &image)?;
        insert_container(t, &container, None)?;
        insert_network(t, &network)
    })
    .unwrap();
    let ip = |last: u8| IpAddr::from([10, 0, 0, last]);
    let take = || {
        db.write(|t| {
            let free = free_address(t, &network.id, (ip(1), ip(6)), &[ip(1)])?;
            if let Some(address) = free {
                let lease =
                    Lease { network: network.id.clone(), address, container: container.id.clone(), starting: None };
                put_lease(t, &lease)?;
            }
            Ok(free)
        })
        .unwrap()
    };
    assert_eq!((take(), take(), take()), (Some(ip(2)), Some(ip(3)), Some(ip(4))));
    db.write(|t| delete_lease(t, &network.id, ip(3))).unwrap();
    assert_eq!((take(), take(), take(), take()), (Some(ip(5)), Some(ip(6)), Some(ip(3)), None));
    db.write(|t| delete_lease(t, &network.id, ip(2))).unwrap();
    // Another family's addresses are another range.
    let six: IpAddr = "fd00::1".parse().unwrap();
    let found = db.read(|c| free_address(c, &network.id, (six, "fd00::ff".parse().unwrap()), &[six])).unwrap();
    assert_eq!((found, take()), ("fd00::2".parse().ok(), Some(ip(2))));
}
