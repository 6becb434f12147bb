// What a server says it can do: the words of one CAPABILITY list, those of the closed list each by itself, all others
// as a number that tells whether they have changed (RFC 9051 section 7.2.2, IANA "IMAP Capabilities").
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/imap/words.h"

namespace imapmeter::imap {

// As registered. A word that ends in `=` stands for all its values; SASL mechanisms are those of IMAP.md section 9.
inline constexpr std::array<std::string_view, 116> capability_words = {
    "ACL",
    "ANNOTATE-EXPERIMENT-1",
    "APPENDLIMIT",
    "APPENDLIMIT=",
    "AUTH=ANONYMOUS",
    "AUTH=CRAM-MD5",
    "AUTH=DIGEST-MD5",
    "AUTH=ECDSA-NIST256P-CHALLENGE",
    "AUTH=EXTERNAL",
    "AUTH=GS2-KRB5",
    "AUTH=GS2-KRB5-PLUS",
    "AUTH=GSS-SPNEGO",
    "AUTH=GSSAPI",
    "AUTH=KERBEROS_V4",
    "AUTH=LOGIN",
    "AUTH=NTLM",
    "AUTH=OAUTHBEARER",
    "AUTH=OTP",
    "AUTH=PLAIN",
    "AUTH=PLAIN-CLIENTTOKEN",
    "AUTH=SCRAM-SHA-1",
    "AUTH=SCRAM-SHA-1-PLUS",
    "AUTH=SCRAM-SHA-256",
    "AUTH=SCRAM-SHA-256-PLUS",
    "AUTH=SCRAM-SHA-512",
    "AUTH=SCRAM-SHA-512-PLUS",
    "AUTH=SCRAM-SHA3-512",
    "AUTH=SCRAM-SHA3-512-PLUS",
    "AUTH=XOAUTH",
    "AUTH=XOAUTH2",
    "BINARY",
    "CATENATE",
    "CHILDREN",
    "COMPRESS=DEFLATE",
    "CONDSTORE",
    "CONTEXT=SEARCH",
    "CONTEXT=SORT",
    "CONVERT",
    "CREATE-SPECIAL-USE",
    "ENABLE",
    "ESEARCH",
    "ESORT",
    "FILTERS",
    "I18NLEVEL=1",
    "I18NLEVEL=2",
    "ID",
    "IDLE",
    "IMAP4",
    "IMAP4REV1",
    "IMAP4REV2",
    "IMAPSIEVE=",
    "INPROGRESS",
    "JMAPACCESS",
    "LANGUAGE",
    "LIST-EXTENDED",
    "LIST-METADATA",
    "LIST-MYRIGHTS",
    "LIST-STATUS",
    "LITERAL+",
    "LITERAL-",
    "LOGIN-REFERRALS",
    "LOGINDISABLED",
    "MAILBOX-REFERRALS",
    "MESSAGELIMIT=",
    "METADATA",
    "METADATA-SERVER",
    "MOVE",
    "MULTIAPPEND",
    "MULTISEARCH",
    "NAMESPACE",
    "NOTIFY",
    "OBJECTID",
    "PARTIAL",
    "PREVIEW",
    "PREVIEW=FUZZY",
    "QRESYNC",
    "QUOTA",
    "QUOTA=RES-ANNOTATION-STORAGE",
    "QUOTA=RES-MAILBOX",
    "QUOTA=RES-MESSAGE",
    "QUOTA=RES-STORAGE",
    "QUOTASET",
    "REPLACE",
    "RIGHTS=",
    "SASL-IR",
    "SAVEDATE",
    "SAVELIMIT=",
    "SEARCH=FUZZY",
    "SEARCH=X-MIMEPART",
    "SEARCHRES",
    "SNIPPET=FUZZY",
    "SORT",
    "SORT=DISPLAY",
    "SPECIAL-USE",
    "STARTTLS",
    "STATUS=SIZE",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "THREAD=REFS",
    "UIDBATCHES",
    "UIDONLY",
    "UIDPLUS",
    "UNAUTHENTICATE",
    "UNSELECT",
    "URL-PARTIAL",
    "URLAUTH",
    "URLAUTH=BINARY",
    "URLFETCH=BINARY",
    "UTF8=ACCEPT",
    "UTF8=ALL",
    "UTF8=APPEND",
    "UTF8=ONLY",
    "UTF8=USER",
    "WITHIN",
    "X-GM-EXT-1",
    "XLIST",
};

struct CapabilitySet {
  std::array<std::uint64_t, 2> bits{};  // bit n: capability_words[n]
  std::uint64_t others = 0;             // of the words outside the list, and of values; whatever their order

  constexpr void add(std::size_t word) noexcept { bits[word / 64] |= std::uint64_t{1} << (word % 64); }
  constexpr bool has(std::size_t word) const noexcept { return ((bits[word / 64] >> (word % 64)) & 1U) != 0; }
  friend constexpr bool operator==(const CapabilitySet&, const CapabilitySet&) = default;
};
static_assert(capability_words.size() <= 128);

// Reads a list while it passes: SP and a word, again and again. Keeps no text.
class CapabilityReader {
 public:
  void start() noexcept { *this = CapabilityReader{}; }
  // Takes the octets that belong to the list, up to its end; how many does not matter.
  void read(std::span<const char> octets) noexcept;
  // The list has ended.
  void end() noexcept;
  const CapabilitySet& set() const noexcept { return set_; }

 private:
  void step(char octet) noexcept;
  void end_word() noexcept;

  CapabilitySet set_;
  std::uint64_t hash_ = 0;  // of this word, from where it stands for itself
  WordMatcher word_;
  bool over_ = false;
  bool in_word_ = false;
  bool value_ = false;  // of a word that ends in `=`
};

}  // namespace imapmeter::imap
