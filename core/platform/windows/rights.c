/* SPDX-License-Identifier: Apache-2.0 */
/** @file rights.c @brief Whose a file or a folder is, and who else may do anything with it. */
#include "windows.h"

#include <aclapi.h>
#include <sddl.h>
#include <stdio.h>

/** An answer about the process's token, with the SID that it points to. */
typedef union token_answer {
    TOKEN_USER user;
    TOKEN_OWNER owner;
    BYTE bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
} token_answer;

/** The user, and who owns what this process makes: an administrator's is the group of administrators. */
static bool ask_token(token_answer *user, token_answer *owner)
{
    HANDLE token;
    DWORD size;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return false;
    const bool is_known = GetTokenInformation(token, TokenUser, user, sizeof *user, &size) &&
                          GetTokenInformation(token, TokenOwner, owner, sizeof *owner, &size);
    (void)CloseHandle(token);
    return is_known;
}

/** Who may do anything anyway: the system and its administrators. Rights of an owner are the owner's. */
static bool is_of_system(PSID who)
{
    return IsWellKnownSid(who, WinLocalSystemSid) || IsWellKnownSid(who, WinBuiltinAdministratorsSid) ||
           IsWellKnownSid(who, WinCreatorOwnerSid) || IsWellKnownSid(who, WinCreatorOwnerRightsSid);
}

/** Whether a list gives rights to nobody but one user. No list gives all rights to everybody. */
static bool is_for_one(PACL list, PSID user, PSID owner)
{
    if (list == NULL)
        return false;
    for (DWORD i = 0; i < list->AceCount; i++) {
        void *entry;
        if (!GetAce(list, i, &entry))
            return false;
        const ACE_HEADER *const header = entry;
        if (header->AceType == ACCESS_DENIED_ACE_TYPE)
            continue;
        const PSID who = &((ACCESS_ALLOWED_ACE *)entry)->SidStart;
        if (header->AceType != ACCESS_ALLOWED_ACE_TYPE || /* a kind that gives rights under conditions */
            !(EqualSid(who, user) || EqualSid(who, owner) || is_of_system(who)))
            return false;
    }
    return true;
}

bool windows_is_own(HANDLE file, bool is_alone)
{
    token_answer user, owner;
    PSID of_file;
    PACL list;
    PSECURITY_DESCRIPTOR found;
    if (!ask_token(&user, &owner) ||
        GetSecurityInfo(file, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &of_file, NULL,
                        &list, NULL, &found) != ERROR_SUCCESS)
        return false;
    const bool is_own = (EqualSid(of_file, user.user.User.Sid) || EqualSid(of_file, owner.owner.Owner)) &&
                        (!is_alone || is_for_one(list, user.user.User.Sid, owner.owner.Owner));
    (void)LocalFree(found);
    return is_own;
}

bool windows_make_private(const wchar_t *path)
{
    token_answer user, owner;
    wchar_t *name, rights[320];
    SECURITY_ATTRIBUTES attributes = {.nLength = sizeof attributes};
    if (!ask_token(&user, &owner) || !ConvertSidToStringSidW(user.user.User.Sid, &name))
        return false;
    /* Protected from what the folder above passes on; all rights, which files in it inherit. */
    (void)swprintf(rights, sizeof rights / sizeof rights[0], L"D:P(A;OICI;FA;;;%ls)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)",
                   name);
    (void)LocalFree(name);
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(rights, SDDL_REVISION_1, &attributes.lpSecurityDescriptor,
                                                              NULL))
        return false;
    const bool is_made = CreateDirectoryW(path, &attributes);
    const DWORD code = GetLastError();
    (void)LocalFree(attributes.lpSecurityDescriptor);
    SetLastError(code);
    return is_made;
}
