// The names behind name() of status.h, in the order of the enums: one list for labels and for recognising words.
#pragma once

#include <array>
#include <string_view>

#include "proxy/imap/status.h"

namespace imapmeter::imap {

inline constexpr std::array<std::string_view, condition_count> condition_names = {"OK", "NO", "BAD", "PREAUTH", "BYE"};

inline constexpr std::array<std::string_view, status_code_count> status_code_names = {
    "NOT_DEFINED", "OK",          "NO",         "BAD",          "PREAUTH",         "BYE",
    "ALERT",       "BAD_CHARSET", "CAPABILITY", "PARSE",        "PERMANENT_FLAGS", "READ_ONLY",
    "READ_WRITE",  "TRY_CREATE",  "UID_NEXT",   "UID_VALIDITY", "UNSEEN",          "UNSOLICITED",
};

inline constexpr std::array<std::string_view, response_code_count> response_code_names = {
    "none",
    "other",
    "ALERT",
    "ALREADYEXISTS",
    "ANNOTATE",
    "ANNOTATIONS",
    "APPENDUID",
    "AUTHENTICATIONFAILED",
    "AUTHORIZATIONFAILED",
    "BADCHARSET",
    "BADCOMPARATOR",
    "BADEVENT",
    "BADURL",
    "CANNOT",
    "CAPABILITY",
    "CLIENTBUG",
    "CLOSED",
    "COMPRESSIONACTIVE",
    "CONTACTADMIN",
    "COPYUID",
    "CORRUPTION",
    "DOWNGRADED",
    "EXPIRED",
    "EXPUNGEISSUED",
    "HASCHILDREN",
    "HIGHESTMODSEQ",
    "INPROGRESS",
    "INUSE",
    "LIMIT",
    "MAILBOXID",
    "MAXCONVERTMESSAGES",
    "MAXCONVERTPARTS",
    "MESSAGELIMIT",
    "METADATA",
    "MODIFIED",
    "NEWNAME",
    "NOMODSEQ",
    "NONEXISTENT",
    "NOPERM",
    "NOTIFICATIONOVERFLOW",
    "NOTSAVED",
    "NOUPDATE",
    "OVERQUOTA",
    "PARSE",
    "PERMANENTFLAGS",
    "PRIVACYREQUIRED",
    "READ-ONLY",
    "READ-WRITE",
    "REFERRAL",
    "SERVERBUG",
    "TEMPFAIL",
    "TOOBIG",
    "TOOFEW",
    "TOOMANY",
    "TRYCREATE",
    "UIDNEXT",
    "UIDNOTSTICKY",
    "UIDREQUIRED",
    "UIDVALIDITY",
    "UNAVAILABLE",
    "UNDEFINED-FILTER",
    "UNKNOWN-CTE",
    "UNSEEN",
    "URLMECH",
    "USEATTR",
};

inline constexpr std::array<std::string_view, command_count> command_names = {
    "other",       "APPEND",        "AUTHENTICATE",  "CANCELUPDATE", "CAPABILITY",  "CHECK",        "CLOSE",
    "COMPARATOR",  "COMPRESS",      "CONVERSIONS",   "CONVERT",      "COPY",        "CREATE",       "DELETE",
    "DELETEACL",   "ENABLE",        "ESEARCH",       "EXAMINE",      "EXPUNGE",     "FETCH",        "GENURLAUTH",
    "GETACL",      "GETANNOTATION", "GETJMAPACCESS", "GETMETADATA",  "GETQUOTA",    "GETQUOTAROOT", "ID",
    "IDLE",        "LANGUAGE",      "LIST",          "LISTRIGHTS",   "LOGIN",       "LOGOUT",       "LSUB",
    "MOVE",        "MYRIGHTS",      "NAMESPACE",     "NOOP",         "NOTIFY",      "RENAME",       "REPLACE",
    "RESETKEY",    "RLIST",         "RLSUB",         "SEARCH",       "SELECT",      "SETACL",       "SETANNOTATION",
    "SETMETADATA", "SETQUOTA",      "SORT",          "STARTTLS",     "STATUS",      "STORE",        "SUBSCRIBE",
    "THREAD",      "UIDBATCHES",    "UID CONVERT",   "UID COPY",     "UID ESEARCH", "UID EXPUNGE",  "UID FETCH",
    "UID MOVE",    "UID REPLACE",   "UID SEARCH",    "UID SORT",     "UID STORE",   "UID THREAD",   "UNAUTHENTICATE",
    "UNSELECT",    "UNSUBSCRIBE",   "URLFETCH",      "XLIST",
};

// Three labels that are no mechanism's name, then names as registered.
inline constexpr std::size_t mechanism_labels = 3;
inline constexpr std::array<std::string_view, mechanism_count> mechanism_names = {
    "other",      "LOGIN_COMMAND", "SCRAM-PLUS", "PLAIN",      "LOGIN",    "XOAUTH2",   "OAUTHBEARER", "CRAM-MD5",
    "DIGEST-MD5", "NTLM",          "GSSAPI",     "GSS-SPNEGO", "EXTERNAL", "ANONYMOUS", "SCRAM-SHA-1", "SCRAM-SHA-256",
};

}  // namespace imapmeter::imap
