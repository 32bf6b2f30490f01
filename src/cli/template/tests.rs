//! A table of templates and what Go makes of them.

use super::*;
use serde_json::json;

fn data() -> Data {
    Data {
        value: json!({
            "Names": "web", "ID": "abc123", "Ports": ["80", "443"], "Running": true, "Pid": 42, "Empty": [],
            "State": {"Status": "running", "Health": null},
            "Labels": {"com.x/y": "1", "a": "b"},
            "Mounts": [{"Type": "bind", "Source": "/a"}, {"Type": "volume", "Source": "v"}],
        }),
        labels: [("tier".to_owned(), "front".to_owned())].into(),
    }
}

#[test]
fn renders() {
    let cases = [
        ("{{.Names}}\t{{.ID}}", "web\tabc123"),
        ("plain", "plain"),
        ("{{.State.Status}} {{.Pid}} {{.Running}}", "running 42 true"),
        ("{{json .State}}", r#"{"Health":null,"Status":"running"}"#),
        ("{{.Ports}} {{.Labels}}", "[80 443] map[a:b com.x/y:1]"),
        ("{{join .Ports \", \"}}", "80, 443"),
        ("{{upper .Names | printf \"%5s|\"}}", "  WEB|"),
        ("{{range .Ports}}<{{.}}>{{end}}", "<80><443>"),
        ("{{range $i, $p := .Ports}}{{if $i}},{{end}}{{$p}}{{end}}", "80,443"),
        ("{{range .Empty}}x{{else}}none{{end}}", "none"),
        ("{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "a=b;com.x/y=1;"),
        ("{{range .Mounts}}{{.Type}}:{{.Source}} {{$.Names}} {{end}}", "bind:/a web volume:v web "),
        ("{{if .Running}}up{{else}}down{{end}}", "up"),
        ("{{if eq .Names \"x\"}}1{{else if eq .Names \"y\" \"web\"}}2{{else}}3{{end}}", "2"),
        ("{{if and .Running (gt .Pid 40)}}y{{end}}", "y"),
        ("{{with .State}}{{.Status}}{{end}}", "running"),
        ("{{index .Labels \"com.x/y\"}}{{index .Labels \"none\"}}", "1"),
        ("{{(index .Mounts 1).Source}}", "v"),
        ("{{index .Ports 0}} {{len .Ports}}", "80 2"),
        ("{{.Label \"tier\"}}|{{.Label \"no\"}}|", "front||"),
        ("{{$x := .Names}}{{$x}}{{$x}}", "webweb"),
        ("a {{- .Names -}} b", "awebb"),
        ("{{/* note */}}x", "x"),
        ("{{truncate .ID 3}} {{title \"ab cd\"}} {{split \"a:b\" \":\"}}", "abc Ab Cd [a b]"),
        ("{{println .Names}}", "web\n"),
        ("{{printf \"%-5s|%05d|%.1f|%q\" .Names .Pid 1.25 \"a\"}}", "web  |00042|1.2|\"a\""),
        ("{{.Labels.none}}", "<no value>"),
        ("{{\"}}\"}}", "}}"),
        ("{{pad .Names 1 2}}|", " web  |"),
        ("{{slice .ID 1 3}} {{slice .Names 1}} {{slice .Ports 0 1}}", "bc eb [80]"),
        ("{{not .Running}} {{or .Empty .Names}}", "false web"),
    ];
    for (template, expected) in cases {
        let rendered = Template::parse(template).and_then(|t| t.render(&data()));
        assert_eq!(rendered.as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn says_what_is_wrong() {
    let cases = [
        ("{{.Names", "unclosed action"),
        ("{{.Nope}}", "there is no field Nope; there are Empty, ID"),
        ("{{nope .Names}}", "function \"nope\" not defined"),
        ("{{if .Names}}x", "{{end}} is missing"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{join .Names}}", "wrong arguments for join"),
        ("{{$y}}", "undefined variable \"$y\""),
        ("{{.Names.X}}", "can't evaluate field X in a string"),
        ("{{index .Ports 7}}", "index out of range"),
        ("{{slice .Names 2 9}}", "slice bounds out of range: 2:9 of 3"),
        ("{{}}", "missing value"),
        ("{{(.Names}}", "')' is missing"),
        ("{{\"abc}}", "unclosed action"),
    ];
    for (template, part) in cases {
        let message = Template::parse(template).and_then(|t| t.render(&data())).unwrap_err().0;
        assert!(message.contains(part), "{template}: {message}");
    }
    let deep = "{{(".to_owned() + &"(".repeat(100_000);
    assert!(Template::parse(&deep).is_err());
}
