//! What upstream's own tests say of capabilities (`src/test/mgr/test_mgrcap.cc`, 16.2 to 20.2), and what its code does beside.

use super::*;

fn cap(text: &str) -> MgrCap {
    MgrCap::parse(text).unwrap_or_else(|why| panic!("{why}"))
}

/// A request to a service, a module or a command by name; the fields not named are empty.
fn may(cap: &MgrCap, of: (&str, &str, &str), args: &[(&str, &str)], perm: &str, ip: &str) -> bool {
    let (service, module, command) = of;
    let arguments = args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let (wanted, ip) = (Allow::of(perm), ip.parse().ok());
    cap.is_capable(&Request { service, module, command, arguments: &arguments, wanted, ip })
}

#[test]
fn good_texts_are_read() {
    let blanks =
        ["allow *", "allow r", "allow  r", " allow rwx", "allow rwx ", " allow\t   rwx ", "\tallow\nrwx\t"];
    let services = [
        "allow service=foo x",
        "allow service=\"froo\" x",
        "allow service foo x",
        "allow service foo x; allow service bar x",
        "allow service foo w ;allow service bar x",
        "allow service foo  w , allow service bar x",
        "allow service foo_foo r, allow service foo-foo r",
        "allow service \" foo \" w, allow service bar r",
    ];
    let modules = [
        "allow module foo x",
        "allow module=foo x",
        "allow module \" foo \" w",
        "allow module foo with a=b x",
    ];
    let commands = [
        "allow command abc",
        "allow command 'a b c'",
        "allow command=\"a b c\"",
        "allow command abc with arg=foo arg2=bar",
        "allow command abc with arg=foo arg2 prefix \"bar bingo\" arg3 prefix baz",
        "allow command abc with arg regex \"^[0-9a-z.]*$\"",
        "allow command abc with arg regex \"(no pattern\"",
        "allow command abc.def with arg=foo arg2=bar, allow service foo r",
        "allow command \"foo bar\" with arg = \"baz.xx\"",
    ];
    let profiles = [
        "allow profile read-only",
        "profile=read-write",
        "allow profile \"rbd-read-only\", allow *",
        "profile crash",
        "profile osd",
        "profile mds",
        "profile rbd pool=ABC namespace=NS",
    ];
    let networks = [
        "allow * network 1.2.3.4/24",
        "allow * network ::1/128",
        "allow * network [aa:bb::1]/128",
        "allow service=foo x network 1.2.3.4/16",
        "allow command abc network 1.2.3.4/8",
        "allow profile crash network 1.2.3.4/32",
    ];
    for text in [&blanks[..], &services, &modules, &commands, &profiles, &networks].concat() {
        assert!(MgrCap::parse(text).is_ok(), "{text:?}");
    }
}

#[test]
fn bad_texts_grant_nothing() {
    let bad = [
        "",
        "allow",
        "allow*",
        "allow q",
        "ALLOW r",
        "allow r w",
        "allow xr",
        "allow r foo",
        "allow rwx,",
        "allow rwx x",
        "foo allow *",
        "profile",
        "profile nobody",
        "profile foo rwx",
        "profile rbd invalid-key=value",
        "allow profile",
        "allow profile foo bar rwx",
        "allow service bar",
        "allow service \"\" r",
        "allow module x",
        "allow module x with rw",
        "allow command baz x",
        "allow command foo a prefix b",
        "allow command foo with a prefixb",
        "allow command foo with a = prefix b",
        "allow command foo with a prefix b c",
        "allow command foo with",
        "allow wwx pool taco^funny&chars",
        "allow rwx pool 'weird name''",
        "allow r network",
    ];
    for text in bad {
        let why = MgrCap::parse(text).expect_err(text).to_string();
        assert!(why.starts_with("mgr capability parse failed, stopped at"), "{why}");
    }
}

#[test]
fn what_was_read_can_be_said_again() {
    let same = [
        "allow *",
        "allow rwx",
        "profile crash",
        "profile rbd-read-only, allow *",
        "profile rbd namespace=NS pool=ABC",
        "allow command \"a b c\"",
        "allow command abc with arg=foo arg2 prefix \"bar bingo\" arg3 regex \"a.*\"",
        "allow service foo_foo r, allow service foo-foo x",
        "allow service \" foo \" w, allow service bar r",
        "allow module foo with arg1=value1 x network 10.0.0.0/8",
    ];
    for text in same {
        assert_eq!(cap(text).to_string(), text);
    }
    assert_eq!(cap("\tallow\tall ;allow command=x").to_string(), "allow *, allow command x");
    assert_eq!(
        cap("allow command x with k=1 k=2").to_string(),
        "allow command x with k=1",
        "the first one counts"
    );
}

#[test]
fn only_a_star_is_all() {
    for text in ["allow r", "allow rwx", "profile read-write", "allow service foo *", "allow module foo *"] {
        assert!(!cap(text).is_allow_all(), "{text}");
    }
    assert!(!MgrCap::default().is_allow_all());
    assert!(MgrCap::allow_all().is_allow_all());
    assert!(cap("allow r, allow *").is_allow_all());
    assert!(may(&cap("allow *"), ("foo", "", "asdf"), &[], "rwx", ""));
}

#[test]
fn bits_of_grants_add_up() {
    let pg = ("pg", "", "pg scrub");
    assert!(!may(&cap("allow r"), pg, &[], "rw", ""));
    assert!(may(&cap("allow r, allow w"), pg, &[], "rw", ""));
    assert!(may(&cap("allow service pg r, allow w"), pg, &[], "rw", ""));
    assert!(!may(&cap("allow service osd rw"), pg, &[], "r", ""));
    assert!(may(&cap("profile read-write"), pg, &[], "rw", ""));
    assert!(!may(&cap("profile read-only"), pg, &[], "rw", ""));
    assert!(!may(&cap("profile osd, profile mds"), pg, &[], "r", ""));
    assert!(!may(&MgrCap::default(), pg, &[], "", ""), "no grant, not even for nothing");
}

#[test]
fn a_network_bounds_its_grant() {
    let both = cap("allow * network 192.168.0.0/16, allow * network 10.0.0.0/8");
    let asdf = ("foo", "", "asdf");
    assert!(may(&both, asdf, &[], "rwx", "10.1.2.3"));
    assert!(may(&both, asdf, &[], "rwx", "192.168.2.3"));
    assert!(!may(&both, asdf, &[], "rwx", "192.167.2.3"));
    assert!(!may(&both, asdf, &[], "rwx", ""));
    assert!(!may(&both, asdf, &[], "rwx", "fd00::1"));
    assert!(may(&cap("allow r network fd00::/16"), asdf, &[], "r", "fd00:1::1"));
    assert!(may(&cap("allow r network 0.0.0.0/0"), asdf, &[], "r", "9.9.9.9"));
    let many = cap("allow r network 10.0.0.1/99");
    assert!(may(&many, asdf, &[], "r", "10.0.0.1") && !may(&many, asdf, &[], "r", "10.0.0.2"));
    for none in ["[fd00::]/16", "10.0.0.0", "10.0.0.0/", "10.0.0/8"] {
        assert!(!may(&cap(&format!("allow * network {none}")), asdf, &[], "r", "10.0.0.0"), "{none}");
    }
}

#[test]
fn a_command_is_granted_with_all_its_bits_where_its_arguments_fit() {
    let abc = ("", "", "abc");
    let pattern = cap("allow command abc with arg regex \"^[0-9a-z.]*$\"");
    assert!(may(&pattern, abc, &[("arg", "12345abcde")], "rwx", ""));
    assert!(!may(&pattern, abc, &[("arg", "~!@#$")], "rwx", ""));
    assert!(!may(&pattern, abc, &[], "r", ""), "the argument must be there");
    let whole = cap("allow command abc with arg regex 'a|b+'");
    assert!(may(&whole, abc, &[("arg", "bb")], "r", "") && !may(&whole, abc, &[("arg", "ab")], "r", ""));
    assert!(!may(&cap("allow command abc with arg regex \"[*\""), abc, &[("arg", "")], "r", ""));
    let mixed = cap("allow command abc with a=b c prefix de");
    assert!(may(&mixed, abc, &[("a", "b"), ("c", "def"), ("other", "x")], "rwx", ""));
    assert!(!may(&mixed, abc, &[("a", "b"), ("c", "ode")], "r", ""));
    assert!(may(&cap("profile crash"), ("py", "crash", "crash post"), &[], "rw", ""));
    assert!(!may(&cap("profile crash"), ("py", "crash", "crash ls"), &[], "r", ""));
}

#[test]
fn a_module_checks_its_arguments_itself_once_a_command_is_named() {
    let two = cap("allow module abc r, allow module bcd w");
    let (abc, bcd) = (("", "abc", ""), ("", "bcd", ""));
    assert!(may(&two, abc, &[], "r", "") && !may(&two, abc, &[], "rw", ""));
    assert!(may(&two, bcd, &[], "w", "") && !may(&two, bcd, &[], "rw", ""));
    let rbd = ("", "rbd_support", "");
    assert!(may(&cap("profile rbd"), rbd, &[], "rw", "") && !may(&cap("profile rbd"), abc, &[], "r", ""));
    let narrow = cap("profile rbd pool=abc namespace prefix def");
    assert!(!may(&narrow, rbd, &[], "rw", "") && !may(&narrow, rbd, &[("pool", "abc")], "rw", ""));
    assert!(may(&narrow, rbd, &[("pool", "abc"), ("namespace", "defghi")], "rw", ""));
    assert!(may(&narrow, ("py", "rbd_support", "rbd task list"), &[], "rw", ""));
    let reader = cap("profile rbd-read-only");
    assert!(may(&reader, rbd, &[], "r", "") && !may(&reader, rbd, &[], "rw", ""));
}
