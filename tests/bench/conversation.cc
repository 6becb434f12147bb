#include "tests/bench/conversation.h"

#include <array>

namespace imapmeter::bench {
namespace {

// A literal that looks like a mail body: 76 characters of base64 alphabet per line, not periodic within 64 KiB.
std::string bulk_body() {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string body = "* 1 FETCH (BODY[] {" + std::to_string(kLiteral) + "}\r\n";
  std::uint32_t random = 1;
  for (std::size_t i = 0; i < kLiteral; ++i) {
    const std::size_t column = i % 78;
    random = random * 1664525U + 1013904223U;
    body += column == 76 ? '\r' : column == 77 ? '\n' : kAlphabet[random >> 26U];
  }
  return body + ")\r\n";
}

// What a client asks for when it opens a mailbox: short fields, many lines, and a short literal in one of eight.
std::string lines_body() {
  std::string body;
  for (unsigned i = 1; i <= kFetchLines; ++i) {
    body += "* " + std::to_string(i) + " FETCH (UID " + std::to_string(1000 + 3 * i) + " FLAGS (\\Seen" +
            (i % 3 == 0 ? " \\Answered" : "") + (i % 5 == 0 ? " $Forwarded" : "") + ") INTERNALDATE \"" +
            std::to_string(10 + i % 18) + "-Nov-2026 09:" + std::to_string(10 + i % 50) + ":07 +0000\" RFC822.SIZE " +
            std::to_string(2000 + i * 37 % 90000);
    if (i % 8 == 0) {
      const std::string header = "Subject: minutes of meeting " + std::to_string(i) + "\r\n\r\n";
      body += " BODY[HEADER.FIELDS (SUBJECT)] {" + std::to_string(header.size()) + "}\r\n" + header;
    }
    body += ")\r\n";
  }
  return body;
}

constexpr std::string_view kSelectBody =
    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
    "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags permitted.\r\n"
    "* 4096 EXISTS\r\n"
    "* 0 RECENT\r\n"
    "* OK [UIDVALIDITY 1790000000] UIDs valid\r\n"
    "* OK [UIDNEXT 13289] Predicted next UID\r\n";

std::array<Exchange, kVerbCount> make_exchanges() {
  static const std::string bulk = bulk_body();
  static const std::string lines = lines_body();
  return {{
      {.command = "LOGIN \"bench\" \"secret\"", .body = "", .completion = "OK Logged in\r\n"},
      {.command = "SELECT INBOX",
       .body = kSelectBody,
       .completion = "OK [READ-WRITE] Select completed\r\n",
       .untagged_ok = 3,
       .exists = 1},
      {.command = "NOOP", .body = "", .completion = "OK NOOP completed.\r\n"},
      {.command = "STATUS INBOX (MESSAGES UNSEEN)",
       .body = "* STATUS INBOX (MESSAGES 4096 UNSEEN 3)\r\n",
       .completion = "OK Status completed.\r\n"},
      {.command = "FETCH 1 (BODY.PEEK[])", .body = bulk, .completion = "OK Fetch completed.\r\n"},
      {.command = "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)",
       .body = lines,
       .completion = "OK Fetch completed.\r\n"},
      {.command = "IDLE", .body = "+ idling\r\n", .completion = ""},
      {.command = "DONE", .body = "", .completion = "OK Idle completed.\r\n", .tagged = false},
      {.command = "LOGOUT",
       .body = "* BYE Logging out\r\n",
       .completion = "OK Logout completed.\r\n",
       .untagged_bye = 1},
  }};
}

const std::array<Exchange, kVerbCount>& exchanges() {
  static const std::array<Exchange, kVerbCount> table = make_exchanges();
  return table;
}

}  // namespace

const Exchange& exchange(Verb verb) { return exchanges()[static_cast<std::size_t>(verb)]; }

std::string_view greeting() { return "* OK [CAPABILITY IMAP4rev1 LITERAL+ ENABLE IDLE AUTH=PLAIN] Bench ready.\r\n"; }

std::string_view new_mail() { return "* 4097 EXISTS\r\n"; }

std::optional<Verb> verb_of(std::string_view command) {
  for (std::size_t i = 0; i < kVerbCount; ++i)
    if (exchanges()[i].command == command) return static_cast<Verb>(i);
  return std::nullopt;
}

}  // namespace imapmeter::bench
