//! Tables of other columns than the side-by-side one's.

/// Prints cells, each as wide as its column.
pub fn line<const COLUMNS: usize>(widths: [usize; COLUMNS], cells: [&str; COLUMNS]) {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    println!("{}", padded.collect::<String>().trim_end());
}

/// Prints the names of the columns, and a line below them.
pub fn head<const COLUMNS: usize>(widths: [usize; COLUMNS], names: [&str; COLUMNS]) {
    line(widths, names);
    println!("{}", "-".repeat(widths.iter().sum()));
}

/// A time, of so many nanoseconds.
#[must_use]
pub fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        _ if nanoseconds < 100.0 => format!("{nanoseconds:.1} ns"),
        _ if nanoseconds < 1e4 => format!("{nanoseconds:.0} ns"),
        _ if nanoseconds < 1e6 => format!("{:.1} us", nanoseconds / 1e3),
        _ if nanoseconds < 1e9 => format!("{:.2} ms", nanoseconds / 1e6),
        _ => format!("{:.2} s", nanoseconds / 1e9),
    }
}

/// A median with its quartiles.
#[must_use]
pub fn quartiles([low, middle, high]: [f64; 3]) -> String {
    format!("{middle:.3} ({low:.3} to {high:.3})")
}

/// A size of a message, or another number of bytes.
#[must_use]
pub fn size(bytes: usize) -> String {
    match bytes {
        _ if bytes >= 1 << 20 => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        _ if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} B"),
    }
}
