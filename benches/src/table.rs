//! The table that a run ends with.

use crate::rounds::Samples;

const WIDTHS: [usize; 6] = [36, 22, 22, 22, 22, 24];
/// Where an implementation has no such function, or was not measured.
const NOTHING: &str = "-";

/// A row with times; `None` where a peer has none. `bytes` is the size of a message, where there is one.
pub fn times(
    name: &str,
    bytes: Option<usize>,
    ours: &Samples,
    sspi: Option<&Samples>,
    gss_ntlmssp: Option<&Samples>,
) {
    let name = bytes.map_or_else(|| name.to_owned(), |bytes| format!("{name} {}", size(bytes)));
    let peer = |theirs: Option<&Samples>| match theirs {
        Some(theirs) => {
            let [low, middle, high] = theirs.quartiles_over(ours);
            [time(theirs.median(), bytes), format!("{middle:.2} ({low:.2} to {high:.2})")]
        }
        None => [NOTHING.into(), NOTHING.into()],
    };
    let ([sspi, over_sspi], [gss, over_gss]) = (peer(sspi), peer(gss_ntlmssp));
    line(&[&name, &time(ours.median(), bytes), &sspi, &over_sspi, &gss, &over_gss]);
}

/// A row that is nobody's: what others' cryptography alone takes.
pub fn limit(name: &str, bytes: usize, samples: &Samples) {
    let name = format!("{name} {}", size(bytes));
    line(&[&name, NOTHING, &time(samples.median(), Some(bytes)), NOTHING, NOTHING, NOTHING]);
}

/// A row with numbers of bytes; `None` where a peer has nothing of the kind.
pub fn bytes(name: &str, ours: usize, sspi: Option<usize>, gss_ntlmssp: Option<usize>) {
    let peer = |theirs: Option<usize>| match theirs {
        Some(theirs) => [format!("{theirs} B"), format!("{:.2}", theirs as f64 / ours as f64)],
        None => [NOTHING.into(), NOTHING.into()],
    };
    let ([sspi, over_sspi], [gss, over_gss]) = (peer(sspi), peer(gss_ntlmssp));
    line(&[name, &format!("{ours} B"), &sspi, &over_sspi, &gss, &over_gss]);
}

/// The line above the rows.
pub fn head() {
    line(&["work", "ours", "sspi crate", "sspi / ours", "gss-ntlmssp", "gss-ntlmssp / ours"]);
    println!("{}", "-".repeat(WIDTHS.iter().sum()));
}

fn line(columns: &[&str; 6]) {
    let padded = columns.iter().zip(WIDTHS).map(|(text, width)| format!("{text:<width$}"));
    println!("{}", padded.collect::<String>().trim_end());
}

fn time(nanoseconds: f64, bytes: Option<usize>) -> String {
    let time = if nanoseconds < 1e4 {
        format!("{nanoseconds:.0} ns")
    } else if nanoseconds < 1e6 {
        format!("{:.1} us", nanoseconds / 1e3)
    } else {
        format!("{:.2} ms", nanoseconds / 1e6)
    };
    // Bytes in a nanosecond are thousands of MB (10^6 bytes) in a second.
    let speed = bytes.map(|bytes| format!("{time:<11}{:.0} MB/s", bytes as f64 / nanoseconds * 1e3));
    speed.unwrap_or(time)
}

fn size(bytes: usize) -> String {
    match bytes {
        _ if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        _ if bytes >= 1 << 10 => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} B"),
    }
}
