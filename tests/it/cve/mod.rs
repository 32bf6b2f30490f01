//! Faults of other engines and runtimes, each as a test by the name of its CVE that fails when teu's check against it is
//! taken out. Those of the kernel work are here, for `teu run` and for `teu oci`; others are beside the code they are
//! about. The table says where each one is.

mod images;
mod keys;
mod mounts;
mod outside;
mod powers;
mod program;
mod sockets;
mod terminal;
mod users;

use crate::support::program::sources;

/// CVE, file, and test. One CVE may have several.
const TABLE: &[(&str, &str, &str)] = &[
    ("CVE-2019-5736", "tests/it/cve/program.rs", "cve_2019_5736_the_runtime_is_not_run_inside"),
    ("CVE-2019-5736", "tests/it/cve/program.rs", "cve_2019_5736_a_sealed_program_cannot_be_written"),
    ("CVE-2019-5736", "tests/it/cve/program.rs", "cve_2019_5736_the_runtime_is_not_seen_inside"),
    ("CVE-2019-5736", "tests/it/cve/program.rs", "cve_2019_5736_every_program_of_the_runtime_is_sealed"),
    ("CVE-2024-21626", "tests/it/cve/outside.rs", "cve_2024_21626_nothing_of_the_host_is_open_inside"),
    ("CVE-2024-21626", "tests/it/cve/outside.rs", "cve_2024_21626_working_directories_stay_inside"),
    ("CVE-2025-31133", "tests/it/cve/mounts.rs", "cve_2025_31133_a_mask_is_the_null_device"),
    ("CVE-2025-52565", "tests/it/cve/terminal.rs", "cve_2025_52565_a_console_that_is_a_link_stays_inside"),
    ("CVE-2025-52565", "tests/it/cve/terminal.rs", "cve_2025_52565_a_terminal_is_of_a_devpts"),
    ("CVE-2025-52881", "src/sys/mount_op.rs", "cve_2025_52881_settings_pass_no_mounts_and_no_links"),
    ("CVE-2019-19921", "tests/it/cve/mounts.rs", "cve_2019_19921_proc_stays_the_kernel_s"),
    ("CVE-2019-19921", "tests/it/cve/mounts.rs", "cve_2019_19921_proc_is_no_link"),
    ("CVE-2023-27561", "tests/it/cve/mounts.rs", "cve_2019_19921_proc_is_no_link"),
    ("CVE-2023-27561", "tests/it/cve/mounts.rs", "cve_2023_27561_masks_are_on_the_procfs_wherever_it_is_moved"),
    ("CVE-2026-41579", "tests/it/cve/mounts.rs", "cve_2026_41579_dev_as_a_link_stays_inside"),
    ("CVE-2026-47766", "tests/it/cve/mounts.rs", "cve_2026_41579_dev_as_a_link_stays_inside"),
    ("CVE-2021-30465", "tests/it/cve/mounts.rs", "cve_2021_30465_mount_points_as_links_stay_inside"),
    ("CVE-2024-45310", "tests/it/cve/mounts.rs", "cve_2024_45310_missing_mount_points_are_made_inside"),
    ("CVE-2022-29162", "tests/it/cve/powers.rs", "cve_2022_29162_nothing_is_inheritable"),
    ("CVE-2022-24769", "tests/it/cve/powers.rs", "cve_2022_29162_nothing_is_inheritable"),
    ("CVE-2022-27649", "tests/it/cve/powers.rs", "cve_2022_29162_nothing_is_inheritable"),
    ("CVE-2022-36109", "tests/it/cve/powers.rs", "cve_2022_36109_groups_are_exactly_the_user_s"),
    ("CVE-2023-25173", "tests/it/cve/powers.rs", "cve_2022_36109_groups_are_exactly_the_user_s"),
    ("CVE-2026-30892", "tests/it/cve/users.rs", "cve_2026_30892_no_odd_user_becomes_root"),
    ("CVE-2024-40635", "src/runtime/user.rs", "cve_2024_40635_numbers_out_of_range_are_no_ids"),
    ("CVE-2026-46680", "src/runtime/user.rs", "cve_2026_46680_nothing_odd_becomes_root"),
    ("CVE-2026-47262", "tests/it/cve/users.rs", "cve_2026_47262_account_files_are_small_files"),
    ("CVE-2024-9676", "tests/it/cve/users.rs", "cve_2026_47262_account_files_are_small_files"),
    ("CVE-2026-53488", "tests/it/cve/images.rs", "cve_2026_53488_an_image_s_labels_decide_nothing"),
    ("CVE-2022-23648", "tests/it/cve/images.rs", "cve_2022_23648_an_image_s_volumes_stay_inside"),
    ("CVE-2023-0778", "tests/it/cve/images.rs", "cve_2023_0778_walks_on_the_host_follow_no_links"),
    ("CVE-2024-9341", "tests/it/cve/images.rs", "cve_2023_0778_walks_on_the_host_follow_no_links"),
    ("CVE-2018-15664", "src/sys/copy_up.rs", "cve_2018_15664_filling_a_volume_follows_no_links"),
    ("CVE-2021-41190", "src/image/manifest.rs", "cve_2021_41190_what_two_readers_would_read_differently_is_refused"),
    ("CVE-2024-3727", "src/model/reference.rs", "cve_2024_3727_only_a_digest_names_a_blob"),
    ("CVE-2021-32760", "src/image/unpack/tests.rs", "cve_2021_32760_symlinks_cannot_carry_an_entry_outside"),
    ("CVE-2025-62518", "src/image/unpack/tests.rs", "cve_2025_62518_headers_are_bounded_and_sizes_agree"),
    ("CVE-2021-20291", "src/image/unpack/tests.rs", "cve_2021_20291_a_gzip_bomb_is_stopped"),
    ("CVE-2020-15157", "src/image/registry/challenge.rs", "cve_2020_15157_realms_are_https_and_not_inside"),
    ("CVE-2020-15257", "tests/it/cve/sockets.rs", "cve_2020_15257_sockets_are_files_of_their_owner"),
    ("CVE-2021-41091", "tests/it/cve/sockets.rs", "cve_2021_41091_the_data_are_their_owner_s"),
    ("CVE-2026-34040", "src/runtime/protocol.rs", "cve_2026_34040_nonsense_is_refused_before_it_is_stored"),
    ("CVE-2024-29018", "src/runtime/monitor/dns/tests.rs", "cve_2024_29018_an_internal_network_asks_nobody"),
    ("CVE-2026-31431", "tests/it/runtime/filter.rs", "cve_2026_31431_af_alg"),
    ("CVE-2022-0492", "tests/it/cve/powers.rs", "cve_2022_0492_release_agents_are_out_of_reach"),
    ("CVE-2022-0492", "tests/it/isolation/limits.rs", "the_top_of_what_a_container_sees_is_its_own_cpuset"),
];

#[test]
fn every_fault_of_the_table_has_its_test() {
    let root = sources();
    for (cve, file, name) in TABLE {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        let at = text.find(&format!("fn {name}("));
        let before = at.map(|at| text[..at].trim_end().to_owned()).unwrap_or_default();
        assert!(before.ends_with("#[test]") || before.ends_with("]"), "{cve}: no test {name} in {file}");
        let numbers = cve.to_lowercase().replace('-', "_");
        assert!(name.starts_with(&numbers) || text.contains(cve), "{cve}: {file} does not name it");
    }
}
