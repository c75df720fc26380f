//! Starts everybody, restarts the service under load, and looks at how it ended.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use portable_sspi::Entropy;

use crate::Outcome;
use crate::client::{HalfWay, Session};

/// How the processes get the password: not on their command lines, which other users could read.
pub const PASSWORD_VARIABLE: &str = "HOT_RESTART_PASSWORD";
const RESTARTS: usize = 4;
const BETWEEN_RESTARTS: Duration = Duration::from_millis(250);
const CLIENT_PROCESSES: usize = 2;

pub fn run() -> Outcome<()> {
    let mut random = [0; 16];
    portable_sspi::SystemEntropy::new().fill(&mut random)?;
    let password = hex::encode(random);
    let mut service = start(&["service"], &password)?;
    let mut output = BufReader::new(service.stdout.take().ok_or("no output")?);
    let mut address = String::new();
    output.read_line(&mut address)?;
    let address = address.trim();
    println!("service, process {}, listens on {address}", service.id());

    let mut admin = Session::log_on(address, "admin", &password)?;
    let mut clients = Vec::new();
    for _ in 0..CLIENT_PROCESSES {
        let mut client = start(&["clients", address], &password)?;
        let output = BufReader::new(client.stdout.take().ok_or("no output")?);
        clients.push((client, output));
    }
    for (_, output) in &mut clients {
        output.read_line(&mut String::new())?;
    }
    let mut pids = vec![admin.ask("who")?];
    for restart in 1..=RESTARTS {
        thread::sleep(BETWEEN_RESTARTS);
        // Challenged by one process, and to be accepted by the next.
        let half_way = HalfWay::begin(address, "admin", &password)?;
        admin.ask("restart")?;
        // The answer to the next question comes from the successor, over the same session.
        let pid = admin.ask("who")?;
        let mut line = String::new();
        output.read_line(&mut line)?;
        println!("restart {restart}: {}", line.trim());
        if pids.contains(&pid) {
            return Err(format!("process {pid} answers again after a restart").into());
        }
        if half_way.finish()?.ask("who")? != pid {
            return Err("a handshake was finished by another process than the successor".into());
        }
        pids.push(pid);
    }
    thread::sleep(BETWEEN_RESTARTS);
    if !service.wait()?.success() {
        return Err("the first service failed".into());
    }

    let mut messages = 0;
    for (client, output) in clients {
        messages += finish(client, output)?;
    }
    admin.ask("quit")?;
    println!("{messages} messages, {RESTARTS} restarts, nothing lost, repeated or out of order");
    Ok(())
}

fn start(arguments: &[&str], password: &str) -> Outcome<Child> {
    Ok(Command::new(std::env::current_exe()?)
        .args(arguments)
        .env(PASSWORD_VARIABLE, password)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?)
}

/// Tells a client process to end, and gives how many messages it exchanged.
fn finish(mut client: Child, mut output: BufReader<ChildStdout>) -> Outcome<u64> {
    drop(client.stdin.take());
    let mut text = String::new();
    output.read_to_string(&mut text)?;
    print!("{text}");
    let status = client.wait()?;
    if !status.success() {
        return Err(format!("a client process ended with {status}").into());
    }
    let count = text.split_whitespace().next().ok_or("a client process said nothing")?;
    Ok(count.parse()?)
}
