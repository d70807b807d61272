//! What comes from where, what is refused, and what is warned of.

use std::collections::HashMap;
use std::ffi::OsString;

use super::{Config, LoadError, Loaded, Prefix};

fn load(flags: &[&str], environment: &[(&str, &str)], file: &str) -> Result<Loaded, LoadError> {
    let arguments = ["studyhall"].iter().chain(flags).map(OsString::from);
    let environment: HashMap<_, _> = environment.iter().copied().collect();
    Config::load(arguments, &|name| environment.get(name).map(|v| (*v).to_owned()), Some(file))
}

fn refusal(environment: &[(&str, &str)]) -> String {
    match load(&[], environment, "") {
        Ok(loaded) => panic!("accepted: {:?}", loaded.config),
        Err(error) => error.to_string(),
    }
}

#[test]
fn with_nothing_set_everything_has_its_default() {
    let loaded = load(&[], &[], "").unwrap();
    let config = loaded.config;
    assert_eq!(config.port, 8100);
    assert_eq!((config.rtc_min_port, config.rtc_max_port), (10_000, 10_100));
    assert!(config.announced.is_empty() && config.listen.is_empty());
    assert_eq!(config.consent_timeout.as_secs(), 60);
    assert_eq!(config.resume_grace.as_secs(), 30);
    assert!(config.jwt_secret.is_none());
    assert!(config.workers >= 1);
    assert_eq!(
        (config.limits.rooms, config.limits.room_capacity, config.limits.loudest.of("study-room-1")),
        (10, 50, 5)
    );
    assert_eq!(loaded.notes, [] as [String; 0]);
}

#[test]
fn the_loudest_microphones_can_be_more_or_fewer_in_one_room() {
    let loudest = |value| {
        load(&["--loudest", value], &[], "")
            .map(|loaded| ["study-room-1", "study-room-2"].map(|room| loaded.config.limits.loudest.of(room)))
    };
    assert_eq!(loudest("3").unwrap(), [3, 3]);
    assert_eq!(loudest("3, study-room-2=0").unwrap(), [3, 0]);
    assert_eq!(loudest("study-room-1 = 9").unwrap(), [9, 5]);
    for wrong in ["x", "256", "3,4", "Room 1=2", "study-room-1=", "study-room-1=300"] {
        let refused = loudest(wrong).unwrap_err().to_string();
        assert!(refused.contains("--loudest") && refused.contains("study-room-1=0"), "{refused}");
    }
}

#[test]
fn rooms_to_trace_are_named_by_their_ids() {
    let traced = |value| load(&["--trace-room", value], &[], "").map(|loaded| loaded.config.trace_rooms);
    assert_eq!(traced("study-room-1, study-room-7").unwrap(), ["study-room-1", "study-room-7"]);
    assert_eq!(
        load(&[], &[("STUDYHALL_TRACE_ROOM", "study-room-2")], "").unwrap().config.trace_rooms,
        ["study-room-2"]
    );
    let refused = traced("Study Room 1").unwrap_err().to_string();
    assert!(refused.contains("--trace-room") && refused.contains("study-room-1"), "{refused}");
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let port = |flags, environment, file| load(flags, environment, file).unwrap().config.port;
    assert_eq!(port(&[], &[], "PORT=3"), 3);
    assert_eq!(port(&[], &[("PORT", "2")], "PORT=3"), 2);
    assert_eq!(port(&["--port", "1"], &[("PORT", "2")], "PORT=3"), 1);
    // Also when the environment uses the other name of the same setting.
    assert_eq!(port(&[], &[("PORT", "2")], "STUDYHALL_PORT=3"), 2);
}

#[test]
fn our_name_wins_over_the_other_and_that_is_said() {
    let cases = [
        ("STUDYHALL_PORT", "PORT"),
        ("STUDYHALL_HOST", "HOST"),
        ("STUDYHALL_ANNOUNCED_IP", "MEDIASOUP_ANNOUNCED_IP"),
        ("STUDYHALL_RTC_MIN_PORT", "MEDIASOUP_RTC_MIN_PORT"),
        ("STUDYHALL_RTC_MAX_PORT", "MEDIASOUP_RTC_MAX_PORT"),
    ];
    for (ours, theirs) in cases {
        let (one, two) =
            if ours.ends_with("IP") || ours.ends_with("HOST") { ("192.0.2.1", "192.0.2.2") } else { ("20000", "9000") };
        let max = ("STUDYHALL_RTC_MAX_PORT", "30000");
        let mut environment = vec![(ours, one), (theirs, two)];
        if ours != max.0 {
            environment.push(max);
        }
        let loaded = load(&[], &environment, "").unwrap();
        let note = format!("{ours} is {one:?} and {theirs} is {two:?}: {ours} wins");
        assert!(loaded.notes.contains(&note), "{ours}: {:?}", loaded.notes);
        // The same value twice is not worth a word.
        environment[1].1 = one;
        let notes = load(&[], &environment, "").unwrap().notes;
        assert!(!notes.iter().any(|note| note.contains("wins")), "{notes:?}");
    }
}

#[test]
fn the_three_names_of_mediasoup_users_are_understood() {
    let file = "MEDIASOUP_ANNOUNCED_IP=\"127.0.0.1\"\nMEDIASOUP_RTC_MIN_PORT=20000\n\
                MEDIASOUP_RTC_MAX_PORT=20300\n";
    let config = load(&[], &[], file).unwrap().config;
    assert_eq!(config.announced, ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!((config.rtc_min_port, config.rtc_max_port), (20_000, 20_300));
}

#[test]
fn quotes_that_came_through_the_environment_are_taken_off() {
    let config = load(&[], &[("MEDIASOUP_ANNOUNCED_IP", "\"192.0.2.7\"")], "").unwrap().config;
    assert_eq!(config.announced.len(), 1);
}

#[test]
fn several_addresses_may_be_announced() {
    let config = load(&["--announced-ip", "192.0.2.7, 2001:db8::7"], &[], "").unwrap().config;
    assert_eq!(config.announced.len(), 2);
}

#[test]
fn a_wrong_value_names_the_setting_the_value_and_what_is_allowed() {
    let number = "a whole number from";
    let address = "an IP address, or several with commas";
    let cases = [
        ("PORT", "http", number),
        ("PORT", "65536", number),
        ("STUDYHALL_PORT", "-1", number),
        ("HOST", "not a host", "an IP address, or the name of this machine"),
        ("HOST", "1.2.3", "an IP address, or the name of this machine"),
        ("MEDIASOUP_ANNOUNCED_IP", "your.server.public.ip", address),
        ("STUDYHALL_ANNOUNCED_IP", "192.0.2.1:80", address),
        ("STUDYHALL_LISTEN_IP", "everything", address),
        ("MEDIASOUP_RTC_MIN_PORT", "0", number),
        ("MEDIASOUP_RTC_MAX_PORT", "70000", number),
        ("MEDIASOUP_RTC_MAX_PORT", "9000", "a port from 10"),
        ("STUDYHALL_WORKERS", "0", number),
        ("STUDYHALL_CONSENT_TIMEOUT", "9", "from 10 to 60"),
        ("STUDYHALL_CONSENT_TIMEOUT", "61", "from 10 to 60"),
        ("STUDYHALL_ALLOWED_ORIGINS", "example.org", "origins such as https://example.org"),
        ("STUDYHALL_ALLOWED_ORIGINS", "https://example.org/page", "origins such as"),
        ("STUDYHALL_ALLOWED_ORIGINS", "*", "origins such as"),
        ("STUDYHALL_TRUSTED_PROXIES", "10.0.0.0/33", "prefixes such as 10.0.0.0/8"),
        ("STUDYHALL_ROOM_CAPACITY", "0", number),
        ("STUDYHALL_LOUDEST", "256", "from 0 to 255"),
        ("STUDYHALL_GUESTS_PER_MINUTE", "many", number),
        ("STUDYHALL_LOGINS_PER_MINUTE", "0", number),
        ("STUDYHALL_OIDC_ISSUER", "login.example.org", "https://login.example.org"),
        ("STUDYHALL_OIDC_ISSUER", "http://login.example.org", "on this machine only"),
        ("STUDYHALL_OIDC_ISSUER", "https://me@login.example.org", "https://login.example.org"),
        ("STUDYHALL_OIDC_ISSUER", "https://login.example.org/?a=b", "https://login.example.org"),
        ("STUDYHALL_MAX_MESSAGE_BYTES", "1", number),
        ("STUDYHALL_LOG", "loud=very", "a filter such as"),
    ];
    for (name, value, allowed) in cases {
        let text = refusal(&[(name, value)]);
        assert!(text.starts_with(&format!("{name} is {value:?}, but ")), "{text}");
        assert!(text.contains(allowed) && text.ends_with(" is allowed"), "{text}");
    }
}

#[test]
fn a_wrong_flag_is_named_as_a_flag() {
    let error = load(&["--port", "x"], &[("PORT", "1")], "").unwrap_err().to_string();
    assert!(error.starts_with("--port is \"x\""), "{error}");
}

#[test]
fn a_short_secret_is_refused_and_not_shown() {
    let text = refusal(&[("STUDYHALL_JWT_SECRET", "hunter2")]);
    assert!(text.contains("STUDYHALL_JWT_SECRET") && text.contains("32 characters"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_login_elsewhere_needs_an_issuer_and_a_name() {
    assert!(load(&[], &[("STUDYHALL_OIDC_CLIENT_ID", "us")], "").unwrap().config.oidc.is_none());
    let issuer = ("STUDYHALL_OIDC_ISSUER", "https://login.example.org/realm");
    let text = refusal(&[issuer]);
    assert!(text.contains("STUDYHALL_OIDC_CLIENT_ID"), "{text}");
    let all = [issuer, ("STUDYHALL_OIDC_CLIENT_ID", "us"), ("STUDYHALL_OIDC_CLIENT_SECRET", "hunter2")];
    let config = load(&[], &all, "").unwrap().config;
    assert!(!format!("{config:?}").contains("hunter2"));
    let oidc = config.oidc.unwrap();
    assert_eq!((oidc.issuer.as_str(), oidc.client_id.as_str()), ("https://login.example.org/realm", "us"));
    assert_eq!(oidc.client_secret.unwrap().reveal(), "hunter2");
    let here = [("STUDYHALL_OIDC_ISSUER", "http://localhost:9000"), all[1]];
    assert!(load(&[], &here, "").unwrap().config.oidc.unwrap().client_secret.is_none());
}

#[test]
fn a_secret_is_not_shown_by_debug() {
    let secret = "0123456789abcdef0123456789abcdef";
    let config = load(&[], &[("STUDYHALL_JWT_SECRET", secret)], "").unwrap().config;
    assert_eq!(config.jwt_secret.as_ref().unwrap().reveal(), secret);
    assert!(!format!("{config:?}").contains(secret));
}

#[test]
fn an_announced_address_that_browsers_cannot_reach_is_warned_of() {
    let cases = [
        ("0.0.0.0", "::", Some("0.0.0.0, which is no address")),
        ("::", "::", Some("which is no address")),
        ("127.0.0.1", "::", Some("only those on this machine")),
        ("127.0.0.1", "0.0.0.0", Some("only those on this machine")),
        ("::1", "192.0.2.1", Some("only those on this machine")),
        ("127.0.0.1", "127.0.0.1", None),
        ("127.0.0.1", "localhost", None),
        ("127.0.0.1,192.0.2.1", "::", None),
        ("192.0.2.1", "::", None),
    ];
    for (announced, host, expected) in cases {
        let notes = load(&["--announced-ip", announced, "--host", host], &[], "").unwrap().notes;
        match expected {
            Some(part) => {
                assert!(notes.len() == 1 && notes[0].contains(part), "{announced}: {notes:?}");
                assert!(notes[0].contains("set MEDIASOUP_ANNOUNCED_IP"), "{notes:?}");
            }
            None => assert_eq!(notes, [] as [String; 0], "{announced} on {host}"),
        }
    }
}

#[test]
fn lines_of_the_file_that_mean_nothing_are_noted() {
    let notes = load(&[], &[], "STUDYHALL_PROT=1\nwhat is this\nOTHER=1").unwrap().notes;
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("line 2"), "{notes:?}");
    assert!(notes[1].contains("STUDYHALL_PROT"), "{notes:?}");
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    assert_eq!(load(&[], &[("PORT", "")], "PORT=3").unwrap().config.port, 3);
}

#[test]
fn help_lists_every_name_with_its_default() {
    let LoadError::CommandLine(error) = load(&["--help"], &[], "").unwrap_err() else {
        panic!("help is not a wrong value");
    };
    let help = error.to_string();
    for part in [
        "--port",
        "STUDYHALL_PORT, PORT",
        "8100",
        "STUDYHALL_HOST, HOST",
        "STUDYHALL_ANNOUNCED_IP, MEDIASOUP_ANNOUNCED_IP",
        "MEDIASOUP_RTC_MIN_PORT",
        "10000",
        "MEDIASOUP_RTC_MAX_PORT",
        "10100",
        "STUDYHALL_JWT_SECRET",
        "STUDYHALL_GUESTS_PER_MINUTE",
    ] {
        assert!(help.contains(part), "{part} in {help}");
    }
}

#[test]
fn origins_are_compared_as_browsers_send_them() {
    let origins = "https://Example.org/, http://localhost:5173,https://a.example:443";
    let config = load(&["--allowed-origins", origins], &[], "").unwrap().config;
    assert_eq!(config.allowed_origins, ["https://example.org", "http://localhost:5173", "https://a.example"]);
}

#[test]
fn prefixes_contain_what_begins_with_their_bits() {
    let cases = [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.1", "10.0.0.1", true),
        ("10.0.0.1", "10.0.0.2", false),
        ("0.0.0.0/0", "203.0.113.1", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ("2001:db8::/32", "2001:db8:1::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
        ("::/0", "2001:db9::1", true),
    ];
    for (prefix, address, expected) in cases {
        let prefix: Prefix = prefix.parse().unwrap();
        assert_eq!(prefix.contains(address.parse().unwrap()), expected, "{prefix:?} {address}");
    }
}

#[test]
fn numbers_out_of_their_range_are_refused_with_the_range() {
    let cases = [
        ("STUDYHALL_CONSENT_TIMEOUT", "9"),
        ("STUDYHALL_CONSENT_TIMEOUT", "61"),
        ("STUDYHALL_MIN_BITRATE", "9"),
        ("STUDYHALL_START_BITRATE", "29"),
        ("STUDYHALL_MAX_BITRATE", "29"),
        ("STUDYHALL_MAX_BITRATE", "a lot"),
    ];
    for (name, value) in cases {
        let said = refusal(&[(name, value)]);
        assert!(said.contains(name) && said.contains(value), "{said}");
    }
    for value in ["10", "60"] {
        assert!(load(&[], &[("STUDYHALL_CONSENT_TIMEOUT", value)], "").is_ok());
    }
}

#[test]
fn what_an_operator_chooses_is_checked() {
    let usual = load(&[], &[], "").unwrap().config.operation;
    assert_eq!((usual.max_worker_load, usual.max_memory_mb), (90, 0));
    assert!(usual.metrics_token.is_none() && usual.admin_token.is_none() && usual.webhook.is_none());
    let json = load(&["--log-format", "json"], &[], "").unwrap().config.operation.log_format;
    assert_eq!(json, super::LogFormat::Json);
    let secret = "x".repeat(32);
    let url = ("STUDYHALL_WEBHOOK_URL", "https://user:pass@example.org/hook");
    let set = load(&[], &[url, ("STUDYHALL_WEBHOOK_SECRET", &secret)], "").unwrap().config.operation;
    assert_eq!(set.webhook.unwrap().url.reveal(), url.1);
    for (environment, part) in [
        (&[("STUDYHALL_LOG_FORMAT", "xml")][..], "text or json"),
        (&[("STUDYHALL_MAX_WORKER_LOAD", "101")], "from 0 to 100"),
        (&[("STUDYHALL_METRICS_TOKEN", "short")], "at least 32"),
        (&[("STUDYHALL_ADMIN_TOKEN", "short")], "at least 32"),
        (&[("STUDYHALL_WEBHOOK_URL", "ftp://example.org"), ("STUDYHALL_WEBHOOK_SECRET", &secret)], "https://"),
        (&[url], "STUDYHALL_WEBHOOK_SECRET"),
    ] {
        let refused = refusal(environment);
        assert!(refused.contains(part) && !refused.contains("user:pass"), "{refused}");
    }
}
