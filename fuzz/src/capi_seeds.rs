//! The seeds of the target `capi`.

/// What the seeds are: programs in the form that this target reads, with their names and how many calls succeed.
pub fn own_seeds() -> Vec<(&'static str, usize, Vec<u8>)> {
    // Handles, as `pick` reads them.
    let (client, server, first, second, null) = ([0, 0], [0, 1], [4, 0], [4, 1], [248, 0]);
    // Lists of buffers: one token of those so far, or room for one; two of them as a message.
    let (none, room) = ([0, 0], [1, 0, 7, 0]);
    let known = |index: u8| [1, 0, 3, index, 0];
    let received = |token: u8, data: u8| [2, 0, 3, token, 1, 3, data, 0];
    let step = |function: u8, credential: [u8; 2], context: [u8; 2], flags: u8, from: &[u8], to: &[u8]| {
        [&[function][..], &credential, &context, &[flags, 0], from, to, &[0]].concat()
    };
    let handshake = |flags: u8, to: &[u8]| {
        [
            step(2, first, null, flags, &none, to),
            step(3, second, null, flags, &known(0), to),
            step(2, first, client, flags, &known(1), to),
            step(3, second, server, flags, &known(2), to),
        ]
        .concat()
    };
    let message = |context: [u8; 2], kind: u8, list: &[u8]| [&[5][..], &context, &[kind], list].concat();
    let to_send = [2, 0, 5, 1, 6, 20, 0];
    // An honest handshake is eight calls, and leaves four tokens; each message sent leaves three parts.
    let shaken = |rest: &[u8]| [&[11], rest].concat();
    let messages = [
        message(client, 0, &to_send),
        message(server, 1, &received(5, 6)),
        message(server, 2, &to_send),
        message(client, 3, &received(8, 9)),
    ];
    let stream = [message(client, 0, &to_send), message(server, 1, &[2, 4, 3, 4, 1, 1, 0, 0, 0, 0, 0])];
    let attributes: Vec<_> = (0..32).flat_map(|attribute| [7, 0, 1, 0, attribute, 64]).collect();
    let identity = |form: &[u8]| {
        // One is made, marshalled, encrypted, marshalled again and read; then each function takes one of that form.
        let mut program = vec![16, 0, 0, 0, 1, 2, 16, 8, 7, 0, 16, 15, 7, 0, 16, 8, 7, 0, 16, 2, 0, 0];
        for function in 6..20 {
            let rest: &[u8] = match function {
                7 | 10 => &[0],
                17 => &[2, 0, 0, 0],
                _ => &[],
            };
            program.extend([&[16, function], form, rest].concat());
        }
        program
    };
    // Flags of UTF-16, and four texts of two bytes.
    let texts = [2, 66, 98, 0, 66, 68, 0, 66, 112, 0, 66, 78, 0];
    let (plain, list) = ([&[3][..], &texts].concat(), [&[2][..], &texts].concat());
    // User and domain behind the header; offsets and lengths as a little-endian machine has them.
    let mut piece = vec![6, 4, 48, 0, 0, 0, 2, 0, 0, 0, 50, 0, 0, 0, 2, 0, 0, 0];
    piece.extend([0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 98, 0, 68, 0]);
    vec![
        ("nothing", 0, Vec::new()),
        ("handshake", 4, handshake(1, &room)),
        ("handshake-allocating", 4, handshake(2, &[1, 0, 1, 0, 0, 0, 0, 0])),
        ("handshake-in-16-bytes", 0, handshake(1, &[1, 0, 5, 0])),
        ("messages", 12, shaken(&messages.concat())),
        ("stream", 10, shaken(&stream.concat())),
        ("delete-twice", 10, shaken(&[4, 0, 0, 4, 5, 0, 4, 0, 0, 4, 5, 1, 1, 4, 0])),
        ("stale", 18, [shaken(&[4, 0, 0, 4, 0, 0]), shaken(&message([5, 0], 0, &to_send))].concat()),
        ("attributes", 20, shaken(&attributes)),
        ("export", 10, shaken(&[8, 0, 1, 6, 9, 0, 0, 0, 0, 9, 0, 0, 0, 0, 9, 0, 150, 60, 1, 0, 0])),
        ("impersonate", 11, shaken(&[10, 0, 1, 1, 13, 1, 80, 2, 10, 0, 1, 2, 10, 0, 1, 0, 10, 0, 0, 3])),
        ("names", 4, (0..6).flat_map(|function| [13, function, 40, 2, 12, function, 0]).collect()),
        (
            "unsupported",
            0,
            (0..6).flat_map(|function| [14, 4, 0, 0, 0, function, 15, 1, 0, 0, function]).collect(),
        ),
        (
            "acquire",
            1,
            vec![0, 1, 1, 2, 2, 2, 104, 98, 0, 111, 0, 98, 0, 104, 68, 0, 104, 112, 0, 0, 1, 0, 1, 1, 1, 0],
        ),
        ("identity-none", 8, identity(&[0])),
        ("identity-alice", 24, identity(&[1])),
        ("identity-block", 24, identity(&[7, 0])),
        ("identity-plain", 24, identity(&plain)),
        ("identity-list", 24, identity(&list)),
        ("identity-piece", 5, identity(&piece)),
        ("identity-bytes", 5, identity(&[37, 0, 8, 1])),
    ]
}
