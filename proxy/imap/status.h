// The closed vocabularies of IMAP status responses (RFC 9051 section 7.1, RFC 3501 section 7.1, RFC 5530) and of
// commands, each an enum with a name per value. Names are static strings: valid for ever, upper case as registered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace imapmeter::imap {

// The word that makes a line a status response. OK, NO and BAD may be tagged; PREAUTH and BYE never are.
enum class Condition : std::uint8_t { ok, no, bad, preauth, bye };
inline constexpr std::size_t condition_count = 5;
std::string_view name(Condition condition) noexcept;

// The 18 members of ImapStatusCode. It is a set of flags: one response can raise several (METRICS.md, "Members").
enum class StatusCode : std::uint8_t {
  not_defined,
  ok,
  no,
  bad,
  preauth,
  bye,
  alert,
  bad_charset,
  capability,
  parse,
  permanent_flags,
  read_only,
  read_write,
  try_create,
  uid_next,
  uid_validity,
  unseen,
  unsolicited,
};
inline constexpr std::size_t status_code_count = 18;
std::string_view name(StatusCode code) noexcept;

// A set of StatusCode members; bit n stands for the member with the value n.
struct StatusCodeSet {
  std::uint32_t bits = 0;

  constexpr void add(StatusCode code) noexcept { bits |= 1U << static_cast<unsigned>(code); }
  constexpr bool has(StatusCode code) const noexcept { return ((bits >> static_cast<unsigned>(code)) & 1U) != 0; }
  friend constexpr bool operator==(StatusCodeSet, StatusCodeSet) = default;
};

// Response codes of the IANA registry "IMAP Response Codes" (RFC 5530 section 6), `none` where a response carries no
// code and `other` for a code outside the registry.
enum class ResponseCode : std::uint8_t {
  none,
  other,
  alert,
  alreadyexists,
  annotate,
  annotations,
  appenduid,
  authenticationfailed,
  authorizationfailed,
  badcharset,
  badcomparator,
  badevent,
  badurl,
  cannot,
  capability,
  clientbug,
  closed,
  compressionactive,
  contactadmin,
  copyuid,
  corruption,
  downgraded,
  expired,
  expungeissued,
  haschildren,
  highestmodseq,
  inprogress,
  inuse,
  limit,
  mailboxid,
  maxconvertmessages,
  maxconvertparts,
  messagelimit,
  metadata,
  modified,
  newname,
  nomodseq,
  nonexistent,
  noperm,
  notificationoverflow,
  notsaved,
  noupdate,
  overquota,
  parse,
  permanentflags,
  privacyrequired,
  read_only,
  read_write,
  referral,
  serverbug,
  tempfail,
  toobig,
  toofew,
  toomany,
  trycreate,
  uidnext,
  uidnotsticky,
  uidrequired,
  uidvalidity,
  unavailable,
  undefined_filter,
  unknown_cte,
  unseen,
  urlmech,
  useattr,
};
inline constexpr std::size_t response_code_count = static_cast<std::size_t>(ResponseCode::useattr) + 1;
// The registered name ("READ-ONLY"); "none" and "other" for the two values that are no code.
std::string_view name(ResponseCode code) noexcept;

// Client commands: the closed list for labels. `UID x` is a command of its own; whatever is not listed is `other`.
enum class Command : std::uint8_t {
  other,
  append,
  authenticate,
  cancelupdate,
  capability,
  check,
  close,
  comparator,
  compress,
  conversions,
  convert,
  copy,
  create,
  delete_,
  deleteacl,
  enable,
  esearch,
  examine,
  expunge,
  fetch,
  genurlauth,
  getacl,
  getannotation,
  getjmapaccess,
  getmetadata,
  getquota,
  getquotaroot,
  id,
  idle,
  language,
  list,
  listrights,
  login,
  logout,
  lsub,
  move,
  myrights,
  namespace_,
  noop,
  notify,
  rename,
  replace,
  resetkey,
  rlist,
  rlsub,
  search,
  select,
  setacl,
  setannotation,
  setmetadata,
  setquota,
  sort,
  starttls,
  status,
  store,
  subscribe,
  thread,
  uidbatches,
  uid_convert,
  uid_copy,
  uid_esearch,
  uid_expunge,
  uid_fetch,
  uid_move,
  uid_replace,
  uid_search,
  uid_sort,
  uid_store,
  uid_thread,
  unauthenticate,
  unselect,
  unsubscribe,
  urlfetch,
  xlist,
};
inline constexpr std::size_t command_count = static_cast<std::size_t>(Command::xlist) + 1;
// "SELECT", "UID FETCH"; "other" for Command::other.
std::string_view name(Command command) noexcept;

// How a client logs in: the SASL mechanisms of AUTHENTICATE that have a label of their own, and LOGIN, the command.
enum class Mechanism : std::uint8_t {
  other,
  login_command,
  scram_plus,  // any that ends in -PLUS
  plain,
  login,
  xoauth2,
  oauthbearer,
  cram_md5,
  digest_md5,
  ntlm,
  gssapi,
  gss_spnego,
  external,
  anonymous,
  scram_sha_1,
  scram_sha_256,
};
inline constexpr std::size_t mechanism_count = static_cast<std::size_t>(Mechanism::scram_sha_256) + 1;
std::string_view name(Mechanism mechanism) noexcept;
// Whether the rest of the connection may be wrapped after this mechanism (RFC 4752, RFC 2831, MS-NTHT).
bool may_add_layer(Mechanism mechanism) noexcept;

constexpr bool is_login(Command command) noexcept {
  return command == Command::login || command == Command::authenticate;
}

}  // namespace imapmeter::imap
