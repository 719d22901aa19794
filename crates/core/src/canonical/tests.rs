//! Tables of JSON texts and their canonical forms.

use super::{BadJson, canonical};

#[track_caller]
fn assert_canonical(text: &str, form: &str) {
    assert_eq!(canonical(text).as_deref(), Ok(form), "{text}");
}

#[test]
fn exact_doubles_are_written_as_javascript_does() {
    for (literals, form) in [
        ("0 -0 0.0 -0.0e5 0e999999999999999999999", "0"),
        ("1 1.0 1e0 1E+0 10e-1 0.1e1 1.000e0000000000000000000000", "1"),
        ("-1 -1.0 -0.01e2", "-1"),
        ("0.1 1e-1 0.10 100e-3", "0.1"),
        ("1e-6 0.000001", "0.000001"),
        ("1e-7 0.0000001", "1e-7"),
        ("1e20 100000000000000000000", "100000000000000000000"),
        ("1e21 1000000000000000000000", "1e+21"),
        ("999999999999999", "999999999999999"),
        ("1000000000000000", "1000000000000000"),
        ("9007199254740991", "9007199254740991"),
        ("9007199254740992 9007199254740992.0 9.007199254740992e15", "9007199254740992"),
        ("1152921504606847000", "1152921504606847000"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308 17976931348623157e292", "1.7976931348623157e+308"),
        ("2.2250738585072014e-308", "2.2250738585072014e-308"),
        ("333333333.3333333", "333333333.3333333"),
        ("4.50", "4.5"),
        ("2e-3", "0.002"),
        ("-1e-7", "-1e-7"),
    ] {
        literals.split(' ').for_each(|literal| assert_canonical(literal, form));
    }
}

#[test]
fn other_numbers_keep_all_digits_behind_a_mark() {
    for (literals, form) in [
        ("9007199254740993 9007199254740993.0 9007199254740.993e3", "#9007199254740993e0"),
        ("-9007199254740993", "#-9007199254740993e0"),
        ("1152921504606846976", "#1152921504606846976e0"),
        ("0.1000000000000000055511151231257827", "#1000000000000000055511151231257827e-34"),
        ("333333333.33333329", "#33333333333333329e-8"),
        ("1e400 10e399 0.1e401", "#1e400"),
        ("1e-400", "#1e-400"),
        ("3e-324", "#3e-324"),
        ("1.7976931348623159e308", "#17976931348623159e292"),
        ("-1e999999999", "#-1e999999999"),
        ("1e9223372036854775807", "#1e9223372036854775807"),
        ("1e9223372036854775808", "~1e9223372036854775808"),
        ("-10e9223372036854775807", "~-10e9223372036854775807"),
        ("0.1e-9223372036854775808", "~0.1e-9223372036854775808"),
    ] {
        literals.split(' ').for_each(|literal| assert_canonical(literal, form));
    }
}

#[test]
fn numbers_of_thousands_of_digits_are_kept() {
    let nines = "9".repeat(50_000);
    assert_canonical(&nines, &format!("#{nines}e0"));
    assert_canonical(&format!("0.{nines}000"), &format!("#{nines}e-50000"));
    assert_canonical(&format!("1{}", "0".repeat(50_000)), "#1e50000");
    assert_canonical(&format!("0.{}1e50001", "0".repeat(50_000)), "1");
    assert_canonical(&format!("1e{}1", "0".repeat(50_000)), "10");
    let huge = format!("1e{nines}");
    assert_canonical(&huge, &format!("~{huge}"));
}

#[test]
fn names_are_sorted_by_utf16_code_units() {
    assert_canonical("{}", "{}");
    assert_canonical(r#"{"b":{"d":1,"c":2},"a":[]}"#, r#"{"a":[],"b":{"c":2,"d":1}}"#);
    assert_canonical(r#"{"10":1,"9":2,"":3,"1":4}"#, r#"{"":3,"1":4,"10":1,"9":2}"#);
    assert_canonical(
        "{\"\u{fb33}\":1,\"\u{1f600}\":2,\"\u{e000}\":3,\"\u{d7ff}\":4}",
        "{\"\u{d7ff}\":4,\"\u{1f600}\":2,\"\u{e000}\":3,\"\u{fb33}\":1}",
    );
    // Names are compared by their decoded text, not by their escapes.
    assert_canonical(r#"{"b":1,"\"":2,"\n":3,"\u0061":4}"#, r#"{"\n":3,"\"":2,"a":4,"b":1}"#);
    // The example of RFC 8785, 3.2.3.
    assert_canonical(
        r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#,
        "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}",
    );
}

#[test]
fn strings_have_the_fewest_escapes() {
    assert_canonical(r#""\u0041\/\u00e9\u007f\ud83d\ude00""#, "\"A/é\u{7f}😀\"");
    assert_canonical(r#""\u0008\u0009\u000a\u000c\u000d\u0022\u005c""#, r#""\b\t\n\f\r\"\\""#);
    assert_canonical(r#""\u0000\u001F\u001b""#, r#""\u0000\u001f\u001b""#);
    assert_canonical("\"\u{2028}\u{feff}\u{ffff}\"", "\"\u{2028}\u{feff}\u{ffff}\"");
}

#[test]
fn white_space_does_not_count_and_the_order_of_lists_does() {
    assert_canonical(" [ 1 ,\t2\n, [ ] , { } ,\r null , true , false ] ", "[1,2,[],{},null,true,false]");
    assert_canonical("[2,1]", "[2,1]");
}

#[test]
fn ambiguous_or_invalid_json_is_refused() {
    for (text, at) in [
        ("", 0),
        ("[1,]", 3),
        ("{\"a\":1,}", 7),
        ("{\"a\"}", 4),
        ("{a:1}", 1),
        ("01", 1),
        ("-", 1),
        ("1.", 2),
        ("1e", 2),
        ("1e+", 3),
        (".5", 0),
        ("+1", 0),
        ("nul", 0),
        ("NaN", 0),
        ("1 2", 2),
        ("\"a", 2),
        ("\"\n\"", 1),
        ("\"\\x\"", 2),
        ("\"\\u12g4\"", 5),
        ("#1e400", 0),
        ("\u{feff}1", 0),
    ] {
        assert_eq!(canonical(text), Err(BadJson::NotJson { at }), "{text}");
    }
    for (text, at) in
        [(r#"{"a":1,"b":2,"a":1}"#, 13), (r#"{"a":1,"\u0061":2}"#, 7), (r#"[{"":{"x":[],"x":[]}}]"#, 13)]
    {
        assert_eq!(canonical(text), Err(BadJson::DuplicateName { at }), "{text}");
    }
    for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\ud800""#, r#""\ud800x""#, r#""\ud800\u0041""#] {
        assert!(matches!(canonical(text), Err(BadJson::LoneSurrogate { .. })), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_canonical(&nested(128), &nested(128));
    assert_eq!(canonical(&nested(129)), Err(BadJson::TooDeep));
    assert_eq!(canonical(&"{\"a\":".repeat(100_000)), Err(BadJson::TooDeep));
}
