/*
 * The functions of the library for Windows, for portable_sspi.h. Made from sspi.h and secext.h; after a change of these:
 * PORTABLE_SSPI_WRITE=1 cargo test -p portable-sspi-capi --test windows_header
 */
#ifdef PORTABLE_SSPI_REPLACES_SECUR32

#define EnumerateSecurityPackagesA PortableSspiEnumerateSecurityPackagesA
#define QueryCredentialsAttributesA PortableSspiQueryCredentialsAttributesA
#define AcquireCredentialsHandleA PortableSspiAcquireCredentialsHandleA
#define InitializeSecurityContextA PortableSspiInitializeSecurityContextA
#define QueryContextAttributesA PortableSspiQueryContextAttributesA
#define QuerySecurityPackageInfoA PortableSspiQuerySecurityPackageInfoA
#define ImportSecurityContextA PortableSspiImportSecurityContextA
#define AddCredentialsA PortableSspiAddCredentialsA
#define SetContextAttributesA PortableSspiSetContextAttributesA
#define SetCredentialsAttributesA PortableSspiSetCredentialsAttributesA
#define ChangeAccountPasswordA PortableSspiChangeAccountPasswordA
#define QueryContextAttributesExA PortableSspiQueryContextAttributesExA
#define QueryCredentialsAttributesExA PortableSspiQueryCredentialsAttributesExA
#define AddSecurityPackageA PortableSspiAddSecurityPackageA
#define DeleteSecurityPackageA PortableSspiDeleteSecurityPackageA
#define EnumerateSecurityPackagesW PortableSspiEnumerateSecurityPackagesW
#define QueryCredentialsAttributesW PortableSspiQueryCredentialsAttributesW
#define AcquireCredentialsHandleW PortableSspiAcquireCredentialsHandleW
#define InitializeSecurityContextW PortableSspiInitializeSecurityContextW
#define QueryContextAttributesW PortableSspiQueryContextAttributesW
#define QuerySecurityPackageInfoW PortableSspiQuerySecurityPackageInfoW
#define ImportSecurityContextW PortableSspiImportSecurityContextW
#define AddCredentialsW PortableSspiAddCredentialsW
#define SetContextAttributesW PortableSspiSetContextAttributesW
#define SetCredentialsAttributesW PortableSspiSetCredentialsAttributesW
#define ChangeAccountPasswordW PortableSspiChangeAccountPasswordW
#define QueryContextAttributesExW PortableSspiQueryContextAttributesExW
#define QueryCredentialsAttributesExW PortableSspiQueryCredentialsAttributesExW
#define AddSecurityPackageW PortableSspiAddSecurityPackageW
#define DeleteSecurityPackageW PortableSspiDeleteSecurityPackageW
#define FreeCredentialsHandle PortableSspiFreeCredentialsHandle
#define AcceptSecurityContext PortableSspiAcceptSecurityContext
#define CompleteAuthToken PortableSspiCompleteAuthToken
#define DeleteSecurityContext PortableSspiDeleteSecurityContext
#define ApplyControlToken PortableSspiApplyControlToken
#define ImpersonateSecurityContext PortableSspiImpersonateSecurityContext
#define RevertSecurityContext PortableSspiRevertSecurityContext
#define MakeSignature PortableSspiMakeSignature
#define VerifySignature PortableSspiVerifySignature
#define FreeContextBuffer PortableSspiFreeContextBuffer
#define ExportSecurityContext PortableSspiExportSecurityContext
#define QuerySecurityContextToken PortableSspiQuerySecurityContextToken
#define EncryptMessage PortableSspiEncryptMessage
#define DecryptMessage PortableSspiDecryptMessage
#define SealMessage PortableSspiSealMessage
#define UnsealMessage PortableSspiUnsealMessage
#define InitSecurityInterfaceA PortableSspiInitSecurityInterfaceA
#define InitSecurityInterfaceW PortableSspiInitSecurityInterfaceW
#define SspiEncodeStringsAsAuthIdentity PortableSspiSspiEncodeStringsAsAuthIdentity
#define SspiEncodeAuthIdentityAsStrings PortableSspiSspiEncodeAuthIdentityAsStrings
#define SspiFreeAuthIdentity PortableSspiSspiFreeAuthIdentity
#define SspiLocalFree PortableSspiSspiLocalFree
#define SspiZeroAuthIdentity PortableSspiSspiZeroAuthIdentity
#define SspiPrepareForCredWrite PortableSspiSspiPrepareForCredWrite
#define SspiPrepareForCredRead PortableSspiSspiPrepareForCredRead
#define SspiCopyAuthIdentity PortableSspiSspiCopyAuthIdentity
#define SspiCompareAuthIdentities PortableSspiSspiCompareAuthIdentities
#define SspiMarshalAuthIdentity PortableSspiSspiMarshalAuthIdentity
#define SspiUnmarshalAuthIdentity PortableSspiSspiUnmarshalAuthIdentity
#define SspiValidateAuthIdentity PortableSspiSspiValidateAuthIdentity
#define SspiEncryptAuthIdentity PortableSspiSspiEncryptAuthIdentity
#define SspiEncryptAuthIdentityEx PortableSspiSspiEncryptAuthIdentityEx
#define SspiDecryptAuthIdentity PortableSspiSspiDecryptAuthIdentity
#define SspiDecryptAuthIdentityEx PortableSspiSspiDecryptAuthIdentityEx
#define SspiIsAuthIdentityEncrypted PortableSspiSspiIsAuthIdentityEncrypted
#define SspiExcludePackage PortableSspiSspiExcludePackage
#define SspiGetTargetHostName PortableSspiSspiGetTargetHostName
#define GetUserNameExA PortableSspiGetUserNameExA
#define GetUserNameExW PortableSspiGetUserNameExW
#define GetComputerObjectNameA PortableSspiGetComputerObjectNameA
#define GetComputerObjectNameW PortableSspiGetComputerObjectNameW
#define TranslateNameA PortableSspiTranslateNameA
#define TranslateNameW PortableSspiTranslateNameW

#else

#ifdef __cplusplus
extern "C" {
#endif

SECURITY_STATUS SEC_ENTRY PortableSspiEnumerateSecurityPackagesA(ULONG *pcPackages, PSecPkgInfoA *ppPackageInfo);
SECURITY_STATUS SEC_ENTRY PortableSspiQueryCredentialsAttributesA(PCredHandle phCredential, ULONG ulAttribute, void *pBuffer);
SECURITY_STATUS SEC_ENTRY PortableSspiAcquireCredentialsHandleA(const SEC_CHAR *pszPrincipal, const SEC_CHAR *pszPackage, ULONG fCredentialUse,
    void *pvLogonId, void *pAuthData, SEC_GET_KEY_FN pGetKeyFn, void *pvGetKeyArgument, PCredHandle phCredential,
    PTimeStamp ptsExpiry);
SECURITY_STATUS SEC_ENTRY PortableSspiInitializeSecurityContextA(PCredHandle phCredential, PCtxtHandle phContext, const SEC_CHAR *pszTargetName,
    ULONG fContextReq, ULONG Reserved1, ULONG TargetDataRep, PSecBufferDesc pInput, ULONG Reserved2,
    PCtxtHandle phNewContext, PSecBufferDesc pOutput, ULONG *pfContextAttr, PTimeStamp ptsExpiry);
SECURITY_STATUS SEC_ENTRY PortableSspiQueryContextAttributesA(PCtxtHandle phContext, ULONG ulAttribute, void *pBuffer);
SECURITY_STATUS SEC_ENTRY PortableSspiQuerySecurityPackageInfoA(const SEC_CHAR *pszPackageName, PSecPkgInfoA *ppPackageInfo);
SECURITY_STATUS SEC_ENTRY PortableSspiImportSecurityContextA(const SEC_CHAR *pszPackage, PSecBuffer pPackedContext, void *Token,
    PCtxtHandle phContext);
SECURITY_STATUS SEC_ENTRY PortableSspiAddCredentialsA(PCredHandle hCredentials, const SEC_CHAR *pszPrincipal, const SEC_CHAR *pszPackage,
    ULONG fCredentialUse, void *pAuthData, SEC_GET_KEY_FN pGetKeyFn, void *pvGetKeyArgument, PTimeStamp ptsExpiry);
SECURITY_STATUS SEC_ENTRY PortableSspiSetContextAttributesA(PCtxtHandle phContext, ULONG ulAttribute, void *pBuffer, ULONG cbBuffer);
SECURITY_STATUS SEC_ENTRY PortableSspiSetCredentialsAttributesA(PCredHandle phCredential, ULONG ulAttribute, void *pBuffer, ULONG cbBuffer);
SECURITY_STATUS SEC_ENTRY PortableSspiChangeAccountPasswordA(const SEC_CHAR *pszPackageName, const SEC_CHAR *pszDomainName, const SEC_CHAR *pszAccountName,
    const SEC_CHAR *pszOldPassword, const SEC_CHAR *pszNewPassword, BOOLEAN bImpersonating, ULONG dwReserved,
    PSecBufferDesc pOutput);
SECURITY_STATUS SEC_ENTRY PortableSspiQueryContextAttributesExA(PCtxtHandle phContext, ULONG ulAttribute, void *pBuffer, ULONG cbBuffer);
SECURITY_STATUS SEC_ENTRY PortableSspiQueryCredentialsAttributesExA(PCredHandle phCredential, ULONG ulAttribute, void *pBuffer, ULONG cbBuffer);
SECURITY_STATUS SEC_ENTRY PortableSspiAddSecurityPackageA(const SEC_CHAR *pszPackageName, PSECURITY_PACKAGE_OPTIONS pOptions);
SECURITY_STATUS SEC_ENTRY PortableSspiDeleteSecurityPackageA(const SEC_CHAR *pszPackageName);
SECURITY_STATUS SEC_ENTRY PortableSspiEnumerateSecurityPackagesW(ULONG *pcPackages, PSecPkgInfoW *ppPackageInfo);
SECURITY_STATUS SEC_ENTRY PortableSspiQueryCredentialsAttributesW(PCredHandle phCredential, ULONG ulAttribute, void *pBuffer);
SECURITY_STATUS SEC_ENTRY PortableSspiAcquireCredentialsHandleW(const SEC_WCHAR *pszPrincipal, const SEC_WCHAR *pszPackage, ULONG fCredentialUse,
    void *pvLogonId, void *pAuthData, SEC_GET_KEY_FN pGetKeyFn, void *pvGetKeyArgument, PCredHandle phCredential,
    PTimeStamp ptsExpiry);
SECURITY_STATUS SEC_ENTRY PortableSspiInitializeSecurityContextW(PCredHandle phCredential, PCtxtHandle phContext, const SEC_WCHAR *pszTargetName,
    ULONG fContextReq, ULONG Reserved1, ULONG TargetDataRep, PSecBufferDesc pInput, ULONG Reserved2,
    PCtxtHandle phNewContext, PSecBufferDesc pOutput, ULONG *pfContextAttr, PTimeStamp ptsExpiry);
SECURITY_STATUS SEC_ENTRY PortableSspiQueryContextAttributesW(PCtxtHandle phContext, ULONG ulAttribute, void *pBuffer);
SECURITY_STATUS SEC_ENTRY PortableSspiQuerySecurityPackageInfoW(const SEC_WCHAR *pszPackageName, PSecPkgInfoW *ppPackageInfo);
SECURITY_STATUS SEC_ENTRY PortableSspiImportSecurityContextW(const SEC_WCHAR *pszPackage, PSecBuffer pPackedContext, void *Token,
    PCtxtHandle phContext);
SECURITY_STATUS SEC_ENTRY PortableSspiAddCredentialsW(PCredHandle hCredentials, const SEC_WCHAR *pszPrincipal, const SEC_WCHAR *pszPackage,
    ULONG fCredentialUse, void *pAuthData, SEC_GET_KEY_FN pGetKeyFn, void *pvGetKeyArgument, PTimeStamp ptsExpiry);
SECURITY_STATUS SEC_ENTRY PortableSspiSetContextAttributesW(PCtxtHandle phContext, ULONG ulAttribute, void *pBuffer, ULONG cbBuffer);
SECURITY_STATUS SEC_ENTRY PortableSspiSetCredentialsAttributesW(PCredHandle phCredential, ULONG ulAttribute, void *pBuffer, ULONG cbBuffer);
SECURITY_STATUS SEC_ENTRY PortableSspiChangeAccountPasswordW(const SEC_WCHAR *pszPackageName, const SEC_WCHAR *pszDomainName, const SEC_WCHAR *pszAccountName,
    const SEC_WCHAR *pszOldPassword, const SEC_WCHAR *pszNewPassword, BOOLEAN bImpersonating, ULONG dwReserved,
    PSecBufferDesc pOutput);
SECURITY_STATUS SEC_ENTRY PortableSspiQueryContextAttributesExW(PCtxtHandle phContext, ULONG ulAttribute, void *pBuffer, ULONG cbBuffer);
SECURITY_STATUS SEC_ENTRY PortableSspiQueryCredentialsAttributesExW(PCredHandle phCredential, ULONG ulAttribute, void *pBuffer, ULONG cbBuffer);
SECURITY_STATUS SEC_ENTRY PortableSspiAddSecurityPackageW(const SEC_WCHAR *pszPackageName, PSECURITY_PACKAGE_OPTIONS pOptions);
SECURITY_STATUS SEC_ENTRY PortableSspiDeleteSecurityPackageW(const SEC_WCHAR *pszPackageName);
SECURITY_STATUS SEC_ENTRY PortableSspiFreeCredentialsHandle(PCredHandle phCredential);
SECURITY_STATUS SEC_ENTRY PortableSspiAcceptSecurityContext(PCredHandle phCredential, PCtxtHandle phContext, PSecBufferDesc pInput,
    ULONG fContextReq, ULONG TargetDataRep, PCtxtHandle phNewContext, PSecBufferDesc pOutput, ULONG *pfContextAttr,
    PTimeStamp ptsExpiry);
SECURITY_STATUS SEC_ENTRY PortableSspiCompleteAuthToken(PCtxtHandle phContext, PSecBufferDesc pToken);
SECURITY_STATUS SEC_ENTRY PortableSspiDeleteSecurityContext(PCtxtHandle phContext);
SECURITY_STATUS SEC_ENTRY PortableSspiApplyControlToken(PCtxtHandle phContext, PSecBufferDesc pInput);
SECURITY_STATUS SEC_ENTRY PortableSspiImpersonateSecurityContext(PCtxtHandle phContext);
SECURITY_STATUS SEC_ENTRY PortableSspiRevertSecurityContext(PCtxtHandle phContext);
SECURITY_STATUS SEC_ENTRY PortableSspiMakeSignature(PCtxtHandle phContext, ULONG fQOP, PSecBufferDesc pMessage, ULONG MessageSeqNo);
SECURITY_STATUS SEC_ENTRY PortableSspiVerifySignature(PCtxtHandle phContext, PSecBufferDesc pMessage, ULONG MessageSeqNo, ULONG *pfQOP);
SECURITY_STATUS SEC_ENTRY PortableSspiFreeContextBuffer(void *pvContextBuffer);
SECURITY_STATUS SEC_ENTRY PortableSspiExportSecurityContext(PCtxtHandle phContext, ULONG fFlags, PSecBuffer pPackedContext, void **pToken);
SECURITY_STATUS SEC_ENTRY PortableSspiQuerySecurityContextToken(PCtxtHandle phContext, void **Token);
SECURITY_STATUS SEC_ENTRY PortableSspiEncryptMessage(PCtxtHandle phContext, ULONG fQOP, PSecBufferDesc pMessage, ULONG MessageSeqNo);
SECURITY_STATUS SEC_ENTRY PortableSspiDecryptMessage(PCtxtHandle phContext, PSecBufferDesc pMessage, ULONG MessageSeqNo, ULONG *pfQOP);
SECURITY_STATUS SEC_ENTRY PortableSspiSealMessage(PCtxtHandle phContext, ULONG fQOP, PSecBufferDesc pMessage, ULONG MessageSeqNo);
SECURITY_STATUS SEC_ENTRY PortableSspiUnsealMessage(PCtxtHandle phContext, PSecBufferDesc pMessage, ULONG MessageSeqNo, ULONG *pfQOP);
PSecurityFunctionTableA SEC_ENTRY PortableSspiInitSecurityInterfaceA(void);
PSecurityFunctionTableW SEC_ENTRY PortableSspiInitSecurityInterfaceW(void);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiEncodeStringsAsAuthIdentity(const WCHAR *pszUserName, const WCHAR *pszDomainName,
    const WCHAR *pszPackedCredentialsString, PSEC_WINNT_AUTH_IDENTITY_OPAQUE *ppAuthIdentity);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiEncodeAuthIdentityAsStrings(PSEC_WINNT_AUTH_IDENTITY_OPAQUE pAuthIdentity,
    const WCHAR **ppszUserName, const WCHAR **ppszDomainName, const WCHAR **ppszPackedCredentialsString);
void SEC_ENTRY PortableSspiSspiFreeAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthData);
void SEC_ENTRY PortableSspiSspiLocalFree(PVOID DataBuffer);
void SEC_ENTRY PortableSspiSspiZeroAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthData);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiPrepareForCredWrite(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthIdentity, const WCHAR *pszTargetName,
    PULONG pCredmanCredentialType, WCHAR **ppszCredmanTargetName, WCHAR **ppszCredmanUserName,
    unsigned char **ppCredentialBlob, PULONG pCredentialBlobSize);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiPrepareForCredRead(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthIdentity, const WCHAR *pszTargetName,
    PULONG pCredmanCredentialType, WCHAR **ppszCredmanTargetName);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiCopyAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthData,
    PSEC_WINNT_AUTH_IDENTITY_OPAQUE *AuthDataCopy);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiCompareAuthIdentities(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthIdentity1,
    PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthIdentity2, BOOLEAN *SameSuppliedUser, BOOLEAN *SameSuppliedIdentity);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiMarshalAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthIdentity, ULONG *AuthIdentityLength,
    char **AuthIdentityByteArray);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiUnmarshalAuthIdentity(ULONG AuthIdentityLength, char *AuthIdentityByteArray,
    PSEC_WINNT_AUTH_IDENTITY_OPAQUE *ppAuthIdentity);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiValidateAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthData);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiEncryptAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthData);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiEncryptAuthIdentityEx(ULONG Options, PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthData);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiDecryptAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE EncryptedAuthData);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiDecryptAuthIdentityEx(ULONG Options, PSEC_WINNT_AUTH_IDENTITY_OPAQUE EncryptedAuthData);
BOOLEAN SEC_ENTRY PortableSspiSspiIsAuthIdentityEncrypted(PSEC_WINNT_AUTH_IDENTITY_OPAQUE EncryptedAuthData);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiExcludePackage(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthIdentity, const WCHAR *pszPackageName,
    PSEC_WINNT_AUTH_IDENTITY_OPAQUE *ppNewAuthIdentity);
SECURITY_STATUS SEC_ENTRY PortableSspiSspiGetTargetHostName(const WCHAR *pszTargetName, WCHAR **pszHostName);
BOOLEAN SEC_ENTRY PortableSspiGetUserNameExA(EXTENDED_NAME_FORMAT NameFormat, char *lpNameBuffer, PULONG nSize);
BOOLEAN SEC_ENTRY PortableSspiGetUserNameExW(EXTENDED_NAME_FORMAT NameFormat, WCHAR *lpNameBuffer, PULONG nSize);
BOOLEAN SEC_ENTRY PortableSspiGetComputerObjectNameA(EXTENDED_NAME_FORMAT NameFormat, char *lpNameBuffer, PULONG nSize);
BOOLEAN SEC_ENTRY PortableSspiGetComputerObjectNameW(EXTENDED_NAME_FORMAT NameFormat, WCHAR *lpNameBuffer, PULONG nSize);
BOOLEAN SEC_ENTRY PortableSspiTranslateNameA(const char *lpAccountName, EXTENDED_NAME_FORMAT AccountNameFormat,
    EXTENDED_NAME_FORMAT DesiredNameFormat, char *lpTranslatedName, PULONG nSize);
BOOLEAN SEC_ENTRY PortableSspiTranslateNameW(const WCHAR *lpAccountName, EXTENDED_NAME_FORMAT AccountNameFormat,
    EXTENDED_NAME_FORMAT DesiredNameFormat, WCHAR *lpTranslatedName, PULONG nSize);

#ifdef __cplusplus
}
#endif

#endif
