//! The headers for C, compared with the library: what they declare, how long their structures are and where each member
//! lies, and every number that they define.

#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a failing test says where")]

use core::ffi::c_char;
use core::mem::offset_of;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use portable_sspi::{AscReq, AscRet, ExportFlags, IscReq, IscRet, PackageCapabilities, SecurityStatus};
use portable_sspi_capi::SecurityFunctionTable;
use portable_sspi_capi::abi::*;

mod programs;

use programs::*;

const HEADERS: [&str; 2] = ["include/sspi.h", "include/secext.h"];

fn headers() -> String {
    HEADERS.map(|name| std::fs::read_to_string(source(name)).unwrap()).concat()
}

/// What a C program prints that includes the headers; `None` where there is no compiler.
fn printed_by(name: &str, main: &str) -> Option<String> {
    if !is_there("gcc") {
        skipped("no gcc (Debian: gcc)");
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let (program, binary) = (directory.path().join(name).with_extension("c"), directory.path().join(name));
    let includes = "#include <security.h>\n#include <stdio.h>\n#include <string.h>\n";
    std::fs::write(&program, format!("{includes}int main(void)\n{{\n{main}\nreturn 0;\n}}\n")).unwrap();
    let output = Command::new("gcc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(source("include"))
        .arg(&program)
        .arg(library())
        .arg("-o")
        .arg(&binary)
        .output()
        .unwrap();
    succeeded("gcc", &output);
    let output = Command::new(&binary).output().unwrap();
    succeeded(name, &output);
    Some(String::from_utf8(output.stdout).unwrap())
}

/// `name number` in each line.
fn numbers(text: &str) -> BTreeMap<String, i64> {
    let line = |line: &str| {
        let (name, number) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), number.parse().unwrap())
    };
    text.lines().map(line).collect()
}

#[track_caller]
fn assert_same(in_c: &BTreeMap<String, i64>, in_rust: &BTreeMap<String, i64>) {
    let differ = |name: &&String| in_c.get(*name) != in_rust.get(*name);
    let names: BTreeSet<_> = in_c.keys().chain(in_rust.keys()).filter(differ).collect();
    let lines: Vec<_> = names
        .iter()
        .map(|name| format!("{name}: {:?} in C, {:?} in Rust", in_c.get(*name), in_rust.get(*name)))
        .collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

/// The structures that the headers define, each with the names of its members.
fn structures(headers: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found = Vec::new();
    let mut members = None;
    for line in headers.lines() {
        if line.starts_with("typedef struct") {
            members = Some(Vec::new());
        } else if let Some(name) = line.strip_prefix("} ").and_then(|rest| rest.split([',', ';']).next()) {
            found.extend(members.take().map(|members| (name, members)));
        } else if let Some(members) = &mut members {
            let member = line.trim().strip_suffix(';').unwrap_or_else(|| panic!("{line}"));
            members.push(member.rsplit([' ', '*']).next().unwrap());
        }
    }
    found
}

/// Structures as C names them, with their length and, for each member, its place and its length.
#[derive(Default)]
struct Layouts(BTreeMap<String, i64>);

impl Layouts {
    fn put(&mut self, name: String, number: usize) {
        let before = self.0.insert(name.clone(), i64::try_from(number).unwrap());
        assert!(before.is_none(), "{name} twice");
    }
}

/// The length of the member that `_at` takes.
fn length_of<S, M>(_at: impl Fn(&S) -> &M) -> usize {
    size_of::<M>()
}

macro_rules! layouts {
    ($layouts:ident, $suffix:expr; $($name:literal = $structure:ty {
        $($member:ident = $($field:ident).+),* $(,)?
    })*) => {$(
        let name = format!("{}{}", $name, $suffix);
        $layouts.put(name.clone(), size_of::<$structure>());
        $(
            let member = format!("{name}.{}", stringify!($member));
            $layouts.put(member.clone(), offset_of!($structure, $($field).+));
            $layouts.put(member + " length", length_of(|structure: &$structure| &structure.$($field).+));
        )*
    )*};
}

/// The structures that there is one of for each kind of character.
fn layouts_of<C>(layouts: &mut Layouts, suffix: &str) {
    layouts! { layouts, suffix;
        "SecPkgInfo" = SecPkgInfo<C> {
            fCapabilities = capabilities, wVersion = version, wRPCID = rpc_id, cbMaxToken = max_token,
            Name = name, Comment = comment,
        }
        "SecPkgCredentials_Names" = CredentialsNames<C> { sUserName = user_name }
        "SecPkgContext_Names" = ContextNames<C> { sUserName = user_name }
        "SecPkgContext_KeyInfo" = ContextKeyInfo<C> {
            sSignatureAlgorithmName = signature_algorithm_name, sEncryptAlgorithmName = encrypt_algorithm_name,
            KeySize = key_size, SignatureAlgorithm = signature_algorithm, EncryptAlgorithm = encrypt_algorithm,
        }
        "SecPkgContext_Authority" = ContextAuthority<C> { sAuthorityName = authority_name }
        "SecPkgContext_PackageInfo" = ContextPackageInfo<C> { PackageInfo = package }
        "SecPkgContext_NegotiationInfo" = ContextNegotiationInfo<C> {
            PackageInfo = package, NegotiationState = state,
        }
        "SecPkgContext_NativeNames" = ContextNativeNames<C> { sClientName = client_name, sServerName = server_name }
        "SEC_WINNT_AUTH_IDENTITY_" = AuthIdentity<C> {
            User = user, UserLength = user_length, Domain = domain, DomainLength = domain_length,
            Password = password, PasswordLength = password_length, Flags = flags,
        }
        "SEC_WINNT_AUTH_IDENTITY_EX" = AuthIdentityEx<C> {
            Version = version, Length = length, User = identity.user, UserLength = identity.user_length,
            Domain = identity.domain, DomainLength = identity.domain_length, Password = identity.password,
            PasswordLength = identity.password_length, Flags = identity.flags, PackageList = package_list,
            PackageListLength = package_list_length,
        }
    }
}

fn all_layouts() -> Layouts {
    let mut all = Layouts::default();
    let layouts = &mut all;
    layouts_of::<c_char>(layouts, "A");
    layouts_of::<WCHAR>(layouts, "W");
    layouts! { layouts, "";
        "SecHandle" = SecHandle { dwLower = lower, dwUpper = upper }
        "SecBuffer" = SecBuffer { cbBuffer = length, BufferType = buffer_type, pvBuffer = pointer }
        "SECURITY_PACKAGE_OPTIONS" = SecurityPackageOptions {
            Size = size, Type = package_type, Flags = flags, SignatureSize = signature_size, Signature = signature,
        }
        "SecBufferDesc" = SecBufferDesc { ulVersion = version, cBuffers = count, pBuffers = buffers }
        "SEC_CHANNEL_BINDINGS" = SecChannelBindings {
            dwInitiatorAddrType = initiator_address_type, cbInitiatorLength = initiator_length,
            dwInitiatorOffset = initiator_offset, dwAcceptorAddrType = acceptor_address_type,
            cbAcceptorLength = acceptor_length, dwAcceptorOffset = acceptor_offset,
            cbApplicationDataLength = application_data_length, dwApplicationDataOffset = application_data_offset,
        }
        "SecPkgContext_Sizes" = ContextSizes {
            cbMaxToken = max_token, cbMaxSignature = max_signature, cbBlockSize = block_size,
            cbSecurityTrailer = security_trailer,
        }
        "SecPkgContext_Lifespan" = ContextLifespan { tsStart = start, tsExpiry = expiry }
        "SecPkgContext_DceInfo" = ContextDceInfo { AuthzSvc = authorization_service, pPac = pac }
        "SecPkgContext_PasswordExpiry" = ContextPasswordExpiry { tsPasswordExpires = expiry }
        "SecPkgContext_SessionKey" = ContextSessionKey { SessionKeyLength = length, SessionKey = key }
        "SecPkgContext_Flags" = ContextFlags { Flags = flags }
        "SecPkgContext_AccessToken" = ContextAccessToken { AccessToken = token }
        "SecPkgContext_ClientSpecifiedTarget" = ContextClientSpecifiedTarget { sTargetName = target_name }
        "SecPkgContext_LastClientTokenStatus" = ContextLastClientTokenStatus { LastClientTokenStatus = status }
        "SEC_WINNT_AUTH_IDENTITY_EX2" = AuthIdentityEx2 {
            Version = version, cbHeaderLength = header_length, cbStructureLength = structure_length,
            UserOffset = user_offset, UserLength = user_length, DomainOffset = domain_offset,
            DomainLength = domain_length, PackedCredentialsOffset = packed_credentials_offset,
            PackedCredentialsLength = packed_credentials_length, Flags = flags,
            PackageListOffset = package_list_offset, PackageListLength = package_list_length,
        }
    }
    all
}

#[test]
fn structures_lie_in_memory_as_the_library_s_do() {
    let headers = headers();
    let mut main = String::new();
    let mut put = |name: &str, of: &str| {
        main += &format!("printf(\"%s %zu\\n\", \"{name}\", (size_t){of});\n");
    };
    let structures = structures(&headers);
    assert!(structures.len() > 30, "{structures:?}");
    let mut layouts = all_layouts();
    for (name, members) in structures {
        put(name, &format!("sizeof({name})"));
        for (index, member) in members.iter().enumerate() {
            put(&format!("{name}.{member}"), &format!("offsetof({name}, {member})"));
            let length = format!("sizeof((({name} *)NULL)->{member})");
            put(&format!("{name}.{member} length"), &length);
            // The library has the functions as one array.
            if name.starts_with("SecurityFunctionTable") {
                let functions = offset_of!(SecurityFunctionTable, functions);
                let place = if index == 0 { 0 } else { functions + (index - 1) * size_of::<usize>() };
                let length = if index == 0 { size_of::<ULONG>() } else { size_of::<usize>() };
                layouts.put(format!("{name}.{member}"), place);
                layouts.put(format!("{name}.{member} length"), length);
            }
        }
    }
    for table in ["SecurityFunctionTableA", "SecurityFunctionTableW"] {
        layouts.put(table.to_owned(), size_of::<SecurityFunctionTable>());
    }
    // What has no structure in the library.
    for (name, length) in [
        ("ULONG", size_of::<ULONG>()),
        ("LONG", size_of::<i32>()),
        ("USHORT", size_of::<USHORT>()),
        ("BOOLEAN", size_of::<BOOLEAN>()),
        ("BOOL", size_of::<i32>()),
        ("HANDLE", size_of::<HANDLE>()),
        ("WCHAR", size_of::<WCHAR>()),
        ("SEC_WCHAR", size_of::<WCHAR>()),
        ("SEC_CHAR", size_of::<CHAR>()),
        ("ULONG_PTR", size_of::<usize>()),
        ("SECURITY_STATUS", size_of::<SECURITY_STATUS>()),
        ("TimeStamp", size_of::<TimeStamp>()),
        ("EXTENDED_NAME_FORMAT", size_of::<EXTENDED_NAME_FORMAT>()),
    ] {
        put(name, &format!("sizeof({name})"));
        layouts.put(name.to_owned(), length);
    }
    for (member, place) in
        [("QuadPart", 0), ("u.LowPart", 0), ("u.HighPart", 4), ("LowPart", 0), ("HighPart", 4)]
    {
        let name = format!("TimeStamp.{member}");
        put(&name, &format!("offsetof(TimeStamp, {member})"));
        layouts.put(name, place);
    }
    let Some(printed) = printed_by("layouts", &main) else { return };
    assert_same(&numbers(&printed), &layouts.0);
}

/// A constant of the library's as C sees it: 32 bits without a sign.
trait Number {
    fn number(self) -> i64;
}

impl Number for ULONG {
    fn number(self) -> i64 {
        self.into()
    }
}

impl Number for USHORT {
    fn number(self) -> i64 {
        self.into()
    }
}

impl Number for EXTENDED_NAME_FORMAT {
    fn number(self) -> i64 {
        self.into()
    }
}

impl Number for SecurityStatus {
    fn number(self) -> i64 {
        self.0.into()
    }
}

macro_rules! constants {
    ($($name:ident),* $(,)?) => { [$((stringify!($name), $name.number())),*] };
}

/// The constants of `abi`, which the headers have under the same names.
fn constants_of_abi() -> BTreeMap<String, i64> {
    let all = constants![
        SEC_I_COMPLETE_NEEDED,
        SEC_I_COMPLETE_AND_CONTINUE,
        SEC_E_NOT_SUPPORTED,
        SEC_E_TARGET_UNKNOWN,
        SEC_E_QOP_NOT_SUPPORTED,
        SEC_E_NO_IMPERSONATION,
        SECBUFFER_VERSION,
        SECBUFFER_EMPTY,
        SECBUFFER_DATA,
        SECBUFFER_TOKEN,
        SECBUFFER_PKG_PARAMS,
        SECBUFFER_MISSING,
        SECBUFFER_EXTRA,
        SECBUFFER_STREAM_TRAILER,
        SECBUFFER_STREAM_HEADER,
        SECBUFFER_PADDING,
        SECBUFFER_STREAM,
        SECBUFFER_TARGET,
        SECBUFFER_CHANNEL_BINDINGS,
        SECBUFFER_CHANGE_PASS_RESPONSE,
        SECBUFFER_ATTRMASK,
        SECBUFFER_READONLY,
        SECBUFFER_READONLY_WITH_CHECKSUM,
        SECPKG_CRED_INBOUND,
        SECPKG_CRED_OUTBOUND,
        SECPKG_CRED_BOTH,
        SECPKG_CRED_DEFAULT,
        SECPKG_CRED_AUTOLOGON_RESTRICTED,
        SECPKG_CRED_PROCESS_POLICY_ONLY,
        SECPKG_CRED_ATTR_NAMES,
        SECPKG_ID_NONE,
        SECQOP_WRAP_NO_ENCRYPT,
        SECURITY_NETWORK_DREP,
        SECURITY_NATIVE_DREP,
        SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION,
        SECPKG_ATTR_SIZES,
        SECPKG_ATTR_NAMES,
        SECPKG_ATTR_LIFESPAN,
        SECPKG_ATTR_DCE_INFO,
        SECPKG_ATTR_STREAM_SIZES,
        SECPKG_ATTR_KEY_INFO,
        SECPKG_ATTR_AUTHORITY,
        SECPKG_ATTR_PROTO_INFO,
        SECPKG_ATTR_PASSWORD_EXPIRY,
        SECPKG_ATTR_SESSION_KEY,
        SECPKG_ATTR_PACKAGE_INFO,
        SECPKG_ATTR_USER_FLAGS,
        SECPKG_ATTR_NEGOTIATION_INFO,
        SECPKG_ATTR_NATIVE_NAMES,
        SECPKG_ATTR_FLAGS,
        SECPKG_ATTR_TARGET_INFORMATION,
        SECPKG_ATTR_ACCESS_TOKEN,
        SECPKG_ATTR_CLIENT_SPECIFIED_TARGET,
        SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS,
        SECPKG_NEGOTIATION_COMPLETE,
        SECPKG_NEGOTIATION_IN_PROGRESS,
        SEC_WINNT_AUTH_IDENTITY_VERSION,
        SEC_WINNT_AUTH_IDENTITY_VERSION_2,
        SEC_WINNT_AUTH_IDENTITY_ANSI,
        SEC_WINNT_AUTH_IDENTITY_UNICODE,
        SEC_WINNT_AUTH_IDENTITY_MARSHALLED,
        SEC_WINNT_AUTH_IDENTITY_ONLY,
        SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED,
        SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_PROTECTED,
        SEC_WINNT_AUTH_IDENTITY_FLAGS_USER_PROTECTED,
        SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_ENCRYPTED,
        SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_LOGON,
        SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_PROCESS,
        SEC_WINNT_AUTH_IDENTITY_ENCRYPT_FOR_SYSTEM,
        NAME_UNKNOWN,
        NAME_FULLY_QUALIFIED_DN,
        NAME_SAM_COMPATIBLE,
        NAME_DISPLAY,
        NAME_UNIQUE_ID,
        NAME_CANONICAL,
        NAME_USER_PRINCIPAL,
        NAME_CANONICAL_EX,
        NAME_SERVICE_PRINCIPAL,
        NAME_DNS_DOMAIN,
        NAME_GIVEN_NAME,
        NAME_SURNAME,
    ];
    all.map(|(name, number)| (name.to_owned(), number)).into()
}

/// A format of names as `secext.h` has it: `NAME_SAM_COMPATIBLE` is `NameSamCompatible`.
fn as_in_an_enum(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(1);
        // The only word of them that is an abbreviation.
        if word == "DN" { word.to_owned() } else { first.to_owned() + &rest.to_lowercase() }
    };
    name.split('_').map(word).collect()
}

/// Every number that the headers ought to define, by what the library has.
fn all_constants() -> BTreeMap<String, i64> {
    let mut all = BTreeMap::new();
    for (name, number) in constants_of_abi() {
        let name = if name.starts_with("NAME_") { as_in_an_enum(&name) } else { name };
        all.insert(name, number);
    }
    // Every status of the library lies in one of the two blocks, but for success.
    for code in (0x8009_0300..0x8009_0400).chain(0x0009_0300..0x0009_0400).chain([0]) {
        if let Some(name) = SecurityStatus(code).name() {
            all.insert(name.to_owned(), code.into());
        }
    }
    macro_rules! flags {
        ($($prefix:literal = $flags:ty),*) => {$(
            for (name, flag) in <$flags>::all().iter_names() {
                all.insert(format!("{}{name}", $prefix), flag.bits().into());
            }
        )*};
    }
    flags! {
        "ISC_REQ_" = IscReq, "ISC_RET_" = IscRet, "ASC_REQ_" = AscReq, "ASC_RET_" = AscRet,
        "SECPKG_FLAG_" = PackageCapabilities, "SECPKG_CONTEXT_EXPORT_" = ExportFlags
    }
    for (number, last) in ["Yes", "No", "Maybe"].into_iter().enumerate() {
        all.insert(format!("SecPkgAttrLastClientToken{last}"), i64::try_from(number).unwrap());
    }
    all
}

/// The names of all numbers that the headers define: macros without arguments whose value is no other name, and the members of
/// enumerations.
fn defined(headers: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut in_enum = false;
    for line in headers.lines() {
        if let Some((name, value)) = line.strip_prefix("#define ").and_then(|rest| rest.split_once(' ')) {
            if !name.contains('(') && value.starts_with(|first: char| first == '(' || first.is_ascii_digit())
            {
                names.push(name);
            }
        }
        if line.starts_with('}') {
            in_enum = false;
        }
        if in_enum {
            names.push(line.trim().split([' ', ',']).next().unwrap());
        }
        in_enum |= line.starts_with("typedef enum");
    }
    names
}

#[test]
fn numbers_are_those_of_the_library() {
    let headers = headers();
    let names = defined(&headers);
    assert!(names.len() > 150, "{names:?}");
    let line = |name: &&str| format!("printf(\"%s %u\\n\", \"{name}\", (unsigned)({name}));\n");
    let main: String = names.iter().map(line).collect();
    let Some(printed) = printed_by("numbers", &main) else { return };
    assert_same(&numbers(&printed), &all_constants());
}

#[test]
fn no_constant_of_abi_is_left_out() {
    let known = constants_of_abi();
    let mut count = 0;
    for file in ["src/abi.rs", "src/abi/attributes.rs", "src/abi/constants.rs"] {
        let text = std::fs::read_to_string(source(file)).unwrap();
        for name in text.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next()) {
            assert!(known.contains_key(name), "{name} of {file} is not compared with the headers");
            count += 1;
        }
    }
    assert_eq!(count, known.len());
}

// The section on the table of functions, as a C program sees it.
#[test]
fn each_member_of_the_table_is_the_function_of_its_name() {
    let headers = headers();
    let mut main = String::new();
    for (name, members) in structures(&headers) {
        let Some(suffix) = name.strip_prefix("SecurityFunctionTable") else { continue };
        assert_eq!(members.len(), 32, "{name}");
        main += &format!("{{ P{name} table = InitSecurityInterface{suffix}();\n");
        for member in &members[1..] {
            let function = match *member {
                "Reserved2" | "Reserved8" => "NULL",
                "Reserved3" => "EncryptMessage",
                "Reserved4" => "DecryptMessage",
                named => named,
            };
            main += &format!("if (table->{member} != {function}) puts(\"{name}.{member}\");\n");
        }
        main +=
            "if (table->dwVersion != SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION) puts(\"dwVersion\"); }\n";
    }
    assert!(main.matches("puts").count() == 64, "{main}");
    let Some(printed) = printed_by("table", &main) else { return };
    assert_eq!(printed, "");
}

/// Against the headers of mingw: what the library has no use for has the numbers and the layout that it has on Windows.
#[test]
fn other_names_are_those_of_windows() {
    let other = std::fs::read_to_string(source("include/portable_sspi_other_names.h")).unwrap();
    let names = defined(&other);
    let structures = structures(&other);
    assert!(names.len() > 150 && structures.len() > 10, "{names:?} {structures:?}");
    let mut expressions: Vec<String> = names.iter().map(|name| format!("(unsigned)({name})")).collect();
    for (name, members) in structures {
        expressions.push(format!("(unsigned)sizeof({name})"));
        expressions
            .extend(members.iter().map(|member| format!("(unsigned)__builtin_offsetof({name}, {member})")));
    }
    let line = |expression: &String| format!("printf(\"%s %u\\n\", \"{expression}\", {expression});\n");
    let Some(printed) = printed_by("other", &expressions.iter().map(line).collect::<String>()) else {
        return;
    };
    let compiler = "x86_64-w64-mingw32-gcc";
    if !is_there(compiler) {
        return skipped("no compiler for Windows (Debian: gcc-mingw-w64-x86-64)");
    }
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("other.c");
    let mut text = "#define SECURITY_WIN32\n#include <windows.h>\n#include <security.h>\n".to_owned();
    for (index, (expression, number)) in numbers(&printed).into_iter().enumerate() {
        text += &format!("typedef char check{index}[{expression} == {number}u ? 1 : -1];\n");
    }
    std::fs::write(&program, text).unwrap();
    let output = Command::new(compiler).arg("-fsyntax-only").arg(&program).output().unwrap();
    succeeded(compiler, &output);
}

/// The library is not built for it here: what counts is where the header says that the halves are.
#[test]
fn the_halves_of_a_number_lie_as_a_big_endian_processor_has_them() {
    let compiler = "s390x-linux-gnu-gcc";
    if !is_there(compiler) {
        return skipped("no compiler for s390x (Debian: gcc-s390x-linux-gnu, libc6-dev-s390x-cross)");
    }
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("halves.c");
    let mut text = "#include <security.h>\n".to_owned();
    for (index, (member, place)) in
        [("LowPart", 4), ("HighPart", 0), ("u.LowPart", 4), ("u.HighPart", 0)].into_iter().enumerate()
    {
        text += &format!(
            "typedef char at{index}[__builtin_offsetof(TimeStamp, {member}) == {place} ? 1 : -1];\n"
        );
    }
    std::fs::write(&program, text).unwrap();
    let include = source("include");
    let output =
        Command::new(compiler).args(["-fsyntax-only", "-I"]).arg(include).arg(&program).output().unwrap();
    succeeded(compiler, &output);
}

#[test]
fn the_headers_are_c_and_c_plus_plus_in_every_combination() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("headers.c");
    let uses = "#include <security.h>\n#include <sspi.h>\n#include <secext.h>\n\
        int main(void) { SecurityFunctionTable t; SEC_WINNT_AUTH_IDENTITY_EX i; (void)t; (void)i;\n\
        return sizeof(WCHAR) == 2 && sizeof(ULONG) == 4 && sizeof(TimeStamp) == 8 && sizeof(t) == 32 * sizeof(void *) ? 0 : 1; }\n";
    std::fs::write(&program, uses).unwrap();
    for (compiler, options) in COMPILERS {
        if !is_there(compiler) {
            return skipped("no gcc or g++ (Debian: gcc, g++)");
        }
        for defines in [&[][..], &["-DUNICODE"], &["-DSECURITY_WIN32"], &["-DUNICODE", "-DSECURITY_WIN32"]] {
            let binary = directory.path().join("headers");
            let output = Command::new(compiler)
                .args(options)
                .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror"])
                .args(defines)
                .arg("-I")
                .arg(source("include"))
                .arg(&program)
                .arg("-o")
                .arg(&binary)
                .output()
                .unwrap();
            succeeded(compiler, &output);
            succeeded("headers", &Command::new(&binary).output().unwrap());
        }
    }
}

#[test]
fn each_exported_function_is_declared_and_each_declared_one_exported() {
    if !is_there("nm") {
        return skipped("no nm (Debian: binutils)");
    }
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output().unwrap();
    succeeded("nm", &output);
    let symbols = String::from_utf8(output.stdout).unwrap();
    let mut exported: Vec<_> = symbols.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    exported.sort_unstable();
    let headers = headers();
    let mut declared = Vec::new();
    for line in headers.lines() {
        let is_declaration = !line.starts_with([' ', '#', '/', '*', '}']) && !line.starts_with("typedef");
        if let Some((before, _)) = line.split_once('(').filter(|_| is_declaration) {
            declared.push(before.rsplit([' ', '*']).next().unwrap());
        }
    }
    declared.sort_unstable();
    assert!(declared.len() > 50, "{declared:?}");
    assert_eq!(exported, declared);
}
