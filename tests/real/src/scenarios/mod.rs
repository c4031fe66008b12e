//! The list of scenarios, in the order they run on each release's cluster.

use anyhow::Result;
use axon_launcher::Release;

use crate::Bench;
use crate::compare::axon_answers_as_the_stock_dashboard;

mod axon;
mod clock;
mod cluster_log;
mod commands;
mod daemons;
mod door;
mod face;
mod failover;
mod faults;
mod hostile;
mod hostile_python;
mod ipv6;
mod keys;
mod launcher;
mod legacy;
mod logs;
mod mds;
mod modes;
mod module_commands;
mod monitors;
mod partition;
mod permission;
mod pgs;
pub mod placement;
mod restarts;
mod revision0;
mod rich;
mod self_tests;
mod service;
mod startup;
mod stock_modules;
mod telemetry;
mod tell;
mod tell_itself;
mod tokens;
mod unit;

pub struct Scenario {
    /// A sentence with underscores: what holds.
    pub name: &'static str,
    /// On which releases it runs.
    pub on: fn(Release) -> bool,
    pub run: fn(&mut Bench) -> Result<()>,
}

pub const ALL: &[Scenario] = &[
    row("the_stock_manager_brings_the_cluster_to_health", everywhere, launcher::stock_manager_is_well),
    row("a_killed_osd_is_noticed_and_comes_back", everywhere, launcher::killed_osd_comes_back),
    row("axon_dencoder_prints_maps_as_the_monitors", everywhere, face::dencoder_prints_maps_as_the_monitors),
    row("the_stock_dashboard_answers_behind_axons_port", everywhere, door::opens_to_the_stock_dashboard),
    row("axon_answers_as_the_stock_dashboard", with_stock_modules, axon_answers_as_the_stock_dashboard),
    row("pgs_are_where_upstreams_tool_says", everywhere, placement::is_where_upstreams_tool_says),
    row("axon_alone_brings_the_cluster_to_health", everywhere, axon::alone_is_well),
    row("an_mds_that_dies_and_comes_back_is_followed", everywhere, mds::comes_back),
    row("axon_runs_the_managers_commands_as_upstream", everywhere, commands::as_upstream),
    row("who_may_ask_what_is_as_upstreams", everywhere, permission::is_as_upstreams),
    row("a_cluster_in_trouble_is_shown_as_upstream_does", everywhere, rich::is_shown_as_upstream),
    row("daemons_hear_of_a_new_reporting_period", everywhere, pgs::daemons_hear_of_a_new_period),
    row("slow_requests_are_told_and_forgotten", everywhere, daemons::slow_requests_are_told),
    row("the_cluster_log_has_axons_lines", everywhere, cluster_log::has_axons_lines),
    row("what_axon_says_is_readable_in_crc_mode_only", everywhere, modes::are_as_configured),
    row("a_manager_that_is_told_something_answers_as_upstreams", everywhere, tell::answers_as_upstream),
    row("a_manager_says_of_itself_what_upstreams_says", everywhere, tell_itself::says_the_same_of_itself),
    row("a_manager_that_is_told_to_break_breaks", everywhere, tell_itself::breaks_when_told_to),
    row("pools_reach_their_number_of_pgs_under_axon_alone", everywhere, pgs::reach_their_targets),
    row("autoscaling_is_shown_as_progress", everywhere, pgs::autoscaling_is_shown),
    row("bad_tokens_and_passwords_are_refused", everywhere, tokens::bad_ones_are_refused),
    row("a_cluster_that_speaks_only_v1_is_well_under_axon", everywhere, legacy::v1_is_enough),
    row("a_cluster_on_ipv6_alone_is_well_under_axon", everywhere, ipv6::is_enough),
    row("daemons_answer_through_their_restart", everywhere, restarts::daemons_answer_through_their_restart),
    row("a_manager_is_asked_by_name_while_it_restarts", everywhere, restarts::a_manager_is_asked_by_name),
    row("commands_end_in_time_through_a_partition", everywhere, partition::commands_end_in_time),
    row("a_client_whose_clock_is_wrong_is_answered", everywhere, clock::is_wrong),
    row("v20_is_spoken_in_crc_mode", everywhere, revision0::v20_is_spoken_in_crc_mode),
    row("traces_show_every_hop", everywhere, restarts::traces_show_every_hop),
    row("a_rotated_key_is_read_from_its_file", everywhere, keys::a_rotated_one_is_read_from_its_file),
    row("spans_reach_a_collector", everywhere, telemetry::spans_reach_a_collector),
    row("axon_command_ends_as_ceph", everywhere, face::commands_end_as_upstreams),
    row("every_command_is_accounted_for_through_faults", everywhere, faults::every_command_is_accounted_for),
    row("the_log_follows_the_options", everywhere, logs::follows_the_options),
    row("stock_python_modules_work", everywhere, stock_modules::work),
    row("commands_go_on_while_monitors_come_and_go", everywhere, monitors::come_and_go),
    row("axon_runs_under_the_distributions_unit", everywhere, unit::runs_under_the_distributions),
    row("axon_lives_under_a_systemd_that_runs", everywhere, service::lives_under_systemd),
    row("a_hostile_module_hurts_nobody_else", everywhere, hostile::modules_hurt_nobody),
    row("hostile_python_modules_hurt_nobody_else", everywhere, hostile_python::modules_hurt_nobody),
    row("a_modules_commands_outlive_its_process", everywhere, module_commands::outlive_its_process),
    row(
        "what_keeps_a_manager_from_starting_is_told",
        everywhere,
        startup::errors_are_told_and_a_missing_monitor_is_awaited,
    ),
    row("managers_take_over_from_each_other_both_ways", everywhere, failover::both_ways),
];

const fn row(name: &'static str, on: fn(Release) -> bool, run: fn(&mut Bench) -> Result<()>) -> Scenario {
    Scenario { name, on, run }
}

fn with_stock_modules(release: Release) -> bool {
    release.stock_modules_load()
}

fn everywhere(_: Release) -> bool {
    true
}
