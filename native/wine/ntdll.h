/* What several of our programs call of ntdll and mingw's headers do not declare. */
#ifndef WBUILD_NTDLL_H
#define WBUILD_NTDLL_H

#include <windows.h>
#include <winternl.h>

#ifndef STATUS_NO_SUCH_FILE
#define STATUS_NO_SUCH_FILE ((NTSTATUS)0xC000000F)
#endif
#ifndef STATUS_NOT_IMPLEMENTED
#define STATUS_NOT_IMPLEMENTED ((NTSTATUS)0xC0000002)
#endif

PPEB NTAPI RtlGetCurrentPeb(void);
NTSTATUS NTAPI RtlUnicodeToUTF8N(PCHAR to, ULONG size, PULONG used, const WCHAR *from, ULONG bytes);
NTSTATUS NTAPI NtCreateEvent(PHANDLE event, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes, int type, BOOLEAN state);

#endif
