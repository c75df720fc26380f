//! How functions get their names in the library.

/// Exports functions to C: under their names of `sspi.h`, and on Windows, where `secur32.dll` has those, with
/// `PortableSspi` in front.
macro_rules! export {
    ($(
        $(#[$attribute:meta])*
        pub unsafe fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $returned:ty)? $body:block
    )*) => {$(
        $(#[$attribute])*
        #[cfg_attr(not(windows), unsafe(no_mangle))]
        #[cfg_attr(windows, unsafe(export_name = concat!("PortableSspi", stringify!($name))))]
        #[allow(non_snake_case, reason = "the names of sspi.h")]
        pub unsafe extern "system" fn $name($($argument: $type),*) $(-> $returned)? $body
    )*};
}

pub(crate) use export;
