//! Messages taken apart and put together again, as somebody in the middle does it: without the library.

/// NegotiateFlags.
pub(crate) const UNICODE: u32 = 0x0000_0001;
pub(crate) const OEM: u32 = 0x0000_0002;
pub(crate) const SIGN: u32 = 0x0000_0010;
pub(crate) const SEAL: u32 = 0x0000_0020;
pub(crate) const LM_KEY: u32 = 0x0000_0080;
pub(crate) const DATAGRAM: u32 = 0x0000_0040;
pub(crate) const ALWAYS_SIGN: u32 = 0x0000_8000;
pub(crate) const ESS: u32 = 0x0008_0000;
pub(crate) const VERSION: u32 = 0x0200_0000;
pub(crate) const TARGET_INFO: u32 = 0x0080_0000;
pub(crate) const KEY_128: u32 = 0x2000_0000;
pub(crate) const KEY_EXCH: u32 = 0x4000_0000;

/// AvId values.
pub(crate) const NB_COMPUTER: u16 = 1;
pub(crate) const NB_DOMAIN: u16 = 2;
pub(crate) const FLAGS: u16 = 6;
pub(crate) const TIMESTAMP: u16 = 7;
pub(crate) const TARGET_NAME: u16 = 9;
pub(crate) const CHANNEL_BINDINGS: u16 = 10;

/// Where the flags of a NEGOTIATE and of a CHALLENGE stand.
pub(crate) const NEGOTIATE_FLAGS: usize = 12;
pub(crate) const CHALLENGE_FLAGS: usize = 20;

pub(crate) fn u16_at(message: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(message[offset..offset + 2].try_into().unwrap())
}

pub(crate) fn u32_at(message: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(message[offset..offset + 4].try_into().unwrap())
}

/// Sets and clears flags.
pub(crate) fn change_flags(message: &mut [u8], offset: usize, set: u32, clear: u32) {
    let flags = (u32_at(message, offset) | set) & !clear;
    message[offset..offset + 4].copy_from_slice(&flags.to_le_bytes());
}

/// What the field in the header points at.
pub(crate) fn field(message: &[u8], offset: usize) -> Vec<u8> {
    let start = usize::try_from(u32_at(message, offset + 4)).unwrap();
    message[start..start + usize::from(u16_at(message, offset))].to_vec()
}

fn push_field(header: &mut Vec<u8>, length: usize, offset: usize) {
    let length = u16::try_from(length).unwrap();
    header.extend_from_slice(&length.to_le_bytes());
    header.extend_from_slice(&length.to_le_bytes());
    header.extend_from_slice(&u32::try_from(offset).unwrap().to_le_bytes());
}

pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// AV pairs in their order, without the end.
pub(crate) type Pairs = Vec<(u16, Vec<u8>)>;

/// Reads a list up to its end, and what follows.
pub(crate) fn pairs(mut list: &[u8]) -> (Pairs, &[u8]) {
    let mut pairs = Pairs::new();
    loop {
        let (id, length) = (u16_at(list, 0), usize::from(u16_at(list, 2)));
        let value = &list[4..4 + length];
        list = &list[4 + length..];
        if id == 0 {
            return (pairs, list);
        }
        pairs.push((id, value.to_vec()));
    }
}

pub(crate) fn list(pairs: &Pairs) -> Vec<u8> {
    let mut list = Vec::new();
    for (id, value) in pairs {
        list.extend_from_slice(&id.to_le_bytes());
        list.extend_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
        list.extend_from_slice(value);
    }
    list.extend_from_slice(&[0; 4]);
    list
}

/// The AV pairs of a CHALLENGE.
pub(crate) fn target_info(challenge: &[u8]) -> Pairs {
    pairs(&field(challenge, 40)).0
}

/// Replaces the AV pairs of a CHALLENGE, whose target information stands last.
pub(crate) fn set_target_info(challenge: &mut Vec<u8>, pairs: &Pairs) {
    let start = usize::try_from(u32_at(challenge, 44)).unwrap();
    let list = list(pairs);
    let mut header = Vec::new();
    push_field(&mut header, list.len(), start);
    challenge.truncate(start);
    challenge.extend_from_slice(&list);
    challenge[40..48].copy_from_slice(&header);
}

/// An AUTHENTICATE message.
#[derive(Clone)]
pub(crate) struct Authenticate {
    pub(crate) lm: Vec<u8>,
    pub(crate) nt: Vec<u8>,
    pub(crate) domain: Vec<u8>,
    pub(crate) user: Vec<u8>,
    pub(crate) workstation: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) flags: u32,
    /// Absent where the header ends before it.
    pub(crate) version: Option<[u8; 8]>,
    pub(crate) mic: Option<[u8; 16]>,
}

impl Authenticate {
    /// Takes a message apart: one of the library's client, which has all of the header, or one of [`write`](Self::write).
    pub(crate) fn parse(message: &[u8]) -> Self {
        let payload = u32_at(message, 16);
        Self {
            lm: field(message, 12),
            nt: field(message, 20),
            domain: field(message, 28),
            user: field(message, 36),
            workstation: field(message, 44),
            key: field(message, 52),
            flags: u32_at(message, 60),
            version: (payload != 64).then(|| message[64..72].try_into().unwrap()),
            mic: (payload != 64 && payload != 72).then(|| message[72..88].try_into().unwrap()),
        }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut rest = self.flags.to_le_bytes().to_vec();
        rest.extend(self.version.iter().flatten());
        rest.extend(self.mic.iter().flatten());
        let mut header = b"NTLMSSP\0\x03\0\0\0".to_vec();
        let mut payload = Vec::new();
        for part in [&self.lm, &self.nt, &self.domain, &self.user, &self.workstation, &self.key] {
            push_field(&mut header, part.len(), 12 + 6 * 8 + rest.len() + payload.len());
            payload.extend_from_slice(part);
        }
        [header, rest, payload].concat()
    }

    /// With the header of an old peer: 52 bytes (no key, no flags), 64 (no Version) or 72 (no MIC).
    pub(crate) fn write_old(&self, header_length: usize) -> Vec<u8> {
        let mut header = b"NTLMSSP\0\x03\0\0\0".to_vec();
        let mut payload = Vec::new();
        for part in [&self.lm, &self.nt, &self.domain, &self.user, &self.workstation, &self.key] {
            push_field(&mut header, part.len(), header_length + payload.len());
            payload.extend_from_slice(part);
        }
        header.extend_from_slice(&self.flags.to_le_bytes());
        header.extend_from_slice(&self.version.unwrap_or_default());
        header.truncate(header_length);
        [header, payload].concat()
    }

    /// The AV pairs of the NTLMv2 response.
    pub(crate) fn pairs(&self) -> Pairs {
        pairs(&self.nt[44..]).0
    }

    /// Replaces the AV pairs, as somebody does who cannot make the proof that fits them.
    pub(crate) fn set_pairs(&mut self, changed: &Pairs) {
        self.nt.truncate(44);
        self.nt.extend_from_slice(&list(changed));
        self.nt.extend_from_slice(&[0; 4]);
    }
}

/// Changes an AUTHENTICATE message.
pub(crate) fn edit(message: &mut Vec<u8>, change: impl FnOnce(&mut Authenticate)) {
    let mut parsed = Authenticate::parse(message);
    change(&mut parsed);
    *message = parsed.write();
}
