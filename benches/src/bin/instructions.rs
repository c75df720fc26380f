//! Does one operation so many times: `instructions OPERATION TIMES`. `.ci/instructions` runs it under callgrind. Without an
//! operation it names them all.

use std::env;

use portable_sspi_benches::ours::Ours;
use portable_sspi_benches::{Implementation, Message, Session};

type Operation = (&'static str, fn(&mut Ours, usize));

const OPERATIONS: [Operation; 9] = [
    ("handshake", |ours, times| (0..times).for_each(|_| drop(Session::establish(ours)))),
    ("seal-16", |ours, times| one_way(ours, times, 16, Ours::seal)),
    ("seal-1024", |ours, times| one_way(ours, times, 1024, Ours::seal)),
    ("seal-65536", |ours, times| one_way(ours, times, 65536, Ours::seal)),
    ("seal-unseal-16", |ours, times| there_and_back(ours, times, 16)),
    ("seal-unseal-1024", |ours, times| there_and_back(ours, times, 1024)),
    ("seal-unseal-65536", |ours, times| there_and_back(ours, times, 65536)),
    ("sign-16", |ours, times| one_way(ours, times, 16, Ours::sign)),
    ("sign-65536", |ours, times| one_way(ours, times, 65536, Ours::sign)),
];

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [operation, times] = arguments.as_slice() else {
        OPERATIONS.iter().for_each(|(name, _)| println!("{name}"));
        return;
    };
    let (_, operation) = OPERATIONS.iter().find(|(name, _)| name == operation).expect("an operation");
    operation(&mut Ours::new(), times.parse().expect("a number of times"));
}

fn one_way(
    ours: &mut Ours,
    times: usize,
    size: usize,
    send: fn(&mut <Ours as Implementation>::Context, &mut Message),
) {
    let mut session = Session::establish(ours);
    let mut message = Message::new(size);
    (0..times).for_each(|_| send(&mut session.client, &mut message));
}

fn there_and_back(ours: &mut Ours, times: usize, size: usize) {
    let mut session = Session::establish(ours);
    let mut message = Message::new(size);
    for _ in 0..times {
        Ours::seal(&mut session.client, &mut message);
        Ours::unseal(&mut session.server, &mut message);
    }
}
