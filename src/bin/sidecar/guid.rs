//! GUIDs in each form that .NET's
//! [`Guid.TryParse`](https://learn.microsoft.com/en-us/dotnet/api/system.guid.tryparse) takes.

use std::str::FromStr;

/// A GUID in one of .NET's forms, in either letter case, with white space around it or without:
///
/// | form | |
/// |---|---|
/// | D | `7090e106-1ad3-4313-9b7a-75cc3e576d40` |
/// | N | `7090e1061ad343139b7a75cc3e576d40` |
/// | B, P | D in braces, in parentheses |
/// | X | `{0x7090e106,0x1ad3,0x4313,{0x9b,0x7a,0x75,0xcc,0x3e,0x57,0x6d,0x40}}` |
pub(crate) fn parse<T: FromStr>(text: &str) -> Option<T> {
    let text = text.trim();
    if text.len() > MAX_LENGTH {
        return None;
    }
    if let Ok(guid) = text.parse() {
        return Some(guid);
    }
    let within = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    let plain = match text.as_bytes().first()? {
        b'(' => within('(', ')')?.to_owned(),
        b'{' if text.contains('-') => within('{', '}')?.to_owned(),
        b'{' => of_hexadecimal(text)?,
        _ => of_digits(text)?,
    };
    plain.parse().ok()
}

/// Form N as form D.
fn of_digits(text: &str) -> Option<String> {
    if text.len() != 32 {
        return None;
    }
    let part = |from, to| text.get(from..to);
    let parts = [
        part(0, 8)?,
        part(8, 12)?,
        part(12, 16)?,
        part(16, 20)?,
        part(20, 32)?,
    ];
    Some(parts.join("-"))
}

/// Form X as form D. White space may be anywhere in it.
fn of_hexadecimal(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (numbers, bytes) = text
        .strip_prefix('{')?
        .strip_suffix("}}")?
        .split_once(",{")?;
    let mut numbers = numbers.split(',');
    let a: u32 = number(numbers.next()?)?;
    let b: u16 = number(numbers.next()?)?;
    let c: u16 = number(numbers.next()?)?;
    let bytes = bytes.split(',').map(number).collect::<Option<Vec<u8>>>()?;
    let [d, e, f, g, h, i, j, k]: [u8; 8] = bytes.try_into().ok()?;
    numbers.next().is_none().then(|| {
        format!("{a:08x}-{b:04x}-{c:04x}-{d:02x}{e:02x}-{f:02x}{g:02x}{h:02x}{i:02x}{j:02x}{k:02x}")
    })
}

/// `0x` and digits.
fn number<N: TryFrom<u32>>(text: &str) -> Option<N> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    // Without this a sign would be taken.
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u32::from_str_radix(digits, 16).ok()?;
    is_plain.then(|| N::try_from(number).ok())?
}

/// Form X has 68 characters, and more with white space.
const MAX_LENGTH: usize = 256;

#[cfg(test)]
mod tests {
    use tower_entra::AppId;

    use super::*;

    const GUID: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";

    #[test]
    fn a_guid_is_read_in_each_form_of_dotnet_and_shown_in_one() {
        let x = "{0x7090e106,0x1ad3,0x4313,{0x9b,0x7a,0x75,0xcc,0x3e,0x57,0x6d,0x40}}";
        for text in [
            GUID,
            "7090E106-1AD3-4313-9B7A-75CC3E576D40",
            "  7090e106-1ad3-4313-9b7a-75cc3e576d40\t",
            "{7090e106-1ad3-4313-9b7a-75cc3e576d40}",
            " {7090E106-1ad3-4313-9b7a-75cc3e576d40} ",
            "(7090e106-1ad3-4313-9b7a-75cc3e576d40)",
            "7090e1061ad343139b7a75cc3e576d40",
            "7090E1061AD343139B7A75CC3E576D40",
            x,
            &x.replace("0x", "0X"),
            &x.replace(',', " , "),
            &x.replace("0x9b", "0x009b"),
        ] {
            let guid: Option<AppId> = parse(text);
            assert_eq!(guid.map(|guid| guid.to_string()).as_deref(), Some(GUID));
        }
        let short: Option<AppId> = parse("{0x1,0x2,0x3,{0x4,0x5,0x6,0x7,0x8,0x9,0xa,0xb}}");
        let short = short.map(|guid| guid.to_string());
        assert_eq!(
            short.as_deref(),
            Some("00000001-0002-0003-0405-060708090a0b")
        );
    }

    #[test]
    fn what_is_no_guid_is_refused() {
        for text in [
            "",
            " ",
            "agent",
            "{}",
            "()",
            "{7090e106-1ad3-4313-9b7a-75cc3e576d40",
            "{7090e106-1ad3-4313-9b7a-75cc3e576d40)",
            "(7090e106-1ad3-4313-9b7a-75cc3e576d40}",
            "{{7090e106-1ad3-4313-9b7a-75cc3e576d40}}",
            "{7090e1061ad343139b7a75cc3e576d40}",
            "7090e106-1ad3-4313-9b7a-75cc3e576d4",
            "7090e106-1ad3-4313-9b7a-75cc3e576d4g",
            "7090e106-1ad3-4313-9b7a-75cc3e576d40,7090e106-1ad3-4313-9b7a-75cc3e576d40",
            "7090e1061ad343139b7a75cc3e576d4",
            "7090e1061ad343139b7a75cc3e576d4é",
            "7090e1061ad343139b7a75cc3e576d401",
            "0x7090e106,0x1ad3,0x4313,0x9b,0x7a,0x75,0xcc,0x3e,0x57,0x6d,0x40",
            "{0x17090e106,0x1ad3,0x4313,{0x9b,0x7a,0x75,0xcc,0x3e,0x57,0x6d,0x40}}",
            "{0x7090e106,0x11ad3,0x4313,{0x9b,0x7a,0x75,0xcc,0x3e,0x57,0x6d,0x40}}",
            "{0x7090e106,0x1ad3,0x4313,{0x19b,0x7a,0x75,0xcc,0x3e,0x57,0x6d,0x40}}",
            "{0x7090e106,0x1ad3,0x4313,{0x9b,0x7a,0x75,0xcc,0x3e,0x57,0x6d}}",
            "{0x7090e106,0x1ad3,{0x9b,0x7a,0x75,0xcc,0x3e,0x57,0x6d,0x40}}",
            "{0x7090e106,0x1ad3,0x4313,0x1,{0x9b,0x7a,0x75,0xcc,0x3e,0x57,0x6d,0x40}}",
            "{0x+090e106,0x1ad3,0x4313,{0x9b,0x7a,0x75,0xcc,0x3e,0x57,0x6d,0x40}}",
            "{0x,0x1ad3,0x4313,{0x9b,0x7a,0x75,0xcc,0x3e,0x57,0x6d,0x40}}",
        ] {
            assert!(parse::<AppId>(text).is_none(), "{text:?}");
        }
        let long = format!("{GUID}{}", " ".repeat(MAX_LENGTH));
        assert!(parse::<AppId>(&long).is_some());
        let x = "{0x7090e106,0x1ad3,0x4313,{0x9b,0x7a,0x75,0xcc,0x3e,0x57,0x6d,0x40}}";
        for (length, is_read) in [(MAX_LENGTH, true), (MAX_LENGTH + 1, false)] {
            let spaces = " ".repeat(length - x.len());
            let padded = x.replacen(',', &format!(",{spaces}"), 1);
            assert_eq!(parse::<AppId>(&padded).is_some(), is_read, "{length}");
        }
        assert!(parse::<AppId>(&"a".repeat(MAX_LENGTH * 2)).is_none());
    }
}
