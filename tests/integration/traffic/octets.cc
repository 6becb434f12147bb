#include "tests/integration/traffic/octets.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace traffic {
namespace {

using namespace std::string_view_literals;

// The last octets of the side that closes second: it sends them only after the other side's end of stream.
constexpr std::uint64_t late_octets = 3000;
// How many commands the client of a valid session leaves unanswered: fewer than are tracked.
constexpr std::uint64_t valid_commands = 200;

constexpr std::array server_lines = {
    "* OK Searched 91% of the mailbox, ETA 0:01\r\n"sv,
    "* 23 EXISTS\r\n"sv,
    "* 5 RECENT\r\n* 3 EXPUNGE\r\n"sv,
    "* OK [UNSEEN 12] Message 12 is first unseen\r\n"sv,
    "* OK [PERMANENTFLAGS (\\Deleted \\Seen OIB-Seen-[Gmail]/Trash \\*)] Limited\r\n"sv,
    "* NO [ALERT] System shutdown in {5}\r\n"sv,
    "* OK completed{4}\r\n"sv,
    "* BAD [Error=\"x]y\"] what {12}\r\n"sv,
    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"sv,
    "* LIST (\\HasNoChildren) \"/\" \"a {50} \\\" b\"\r\n"sv,
    "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292 UNSEEN 3)\r\n"sv,
    "* SEARCH 2 84 882 \r\n"sv,
    "* ESEARCH (TAG \"A285\") UID MIN 7 MAX 3800\r\n"sv,
    "* 2 FETCH (FLAGS (\\Seen) UID 7 ENVELOPE (NIL \"Re: STARTTLS AUTH=SCRAM-SHA-256-PLUS\" NIL))\r\n"sv,
    "* OK no words are taken from here: CAPABILITY STARTTLS AUTH=SCRAM-SHA-1-PLUS\r\n"sv,
    "* OK [HIGHESTMODSEQ 715194045007]\r\n"sv,
};

constexpr std::array client_lines = {
    "NOOP\r\n"sv,
    "SELECT INBOX\r\n"sv,
    "UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])\r\n"sv,
    "SEARCH TEXT \"a \\\" {5}\"\r\n"sv,
    "STORE 2:4 +FLAGS (\\Deleted)\r\n"sv,
    "LIST \"\" %\r\n"sv,
    "STATUS blurdybloop (UIDNEXT MESSAGES)\r\n"sv,
    "CAPABILITY\r\n"sv,
    "ENABLE CONDSTORE\r\n"sv,
};

// Only in nearly valid traffic: what they switch on is up to the reader.
constexpr std::array odd_client_lines = {
    "AUTHENTICATE PLAIN\r\n"sv, "IDLE\r\n"sv,       "COMPRESS DEFLATE\r\n"sv, "STARTTLS\r\n"sv,
    "APPEND x {5}\r\n"sv,       "APPEND {0}\r\n"sv, "LOGIN {3}\r\n"sv,
};

constexpr std::array odd_tokens = {
    "{5}\r\n"sv, "{5+}\r\n"sv, "{99999999999999999999}\r\n"sv,
    "\r"sv,      "\n"sv,       "\r\n"sv,
    "\0"sv,      "\""sv,       "\\"sv,
    "["sv,       "]"sv,        "("sv,
    "~{2}"sv,    "+ "sv,       "* "sv,
    "a1 OK "sv,
};

// What a reader that has lost count would trip over; the last two would also change how a session ends or what the
// filter takes out, so they stand only where every literal is announced right.
constexpr std::array body_lines = {
    "a1 OK this is mail\r\n"sv,
    "{5}\r\n"sv,
    "+ go on\r\n"sv,
    "a1 NO\r\n"sv,
    "text {7+}\r\n"sv,
    "\r\n"sv,
    "* BYE said the mail\r\n"sv,
    "* CAPABILITY STARTTLS\r\n"sv,
};
constexpr std::size_t harmless_body_lines = body_lines.size() - 2;

// Random octets to cut bodies from; a place in it is as good as fresh ones to find a lost or doubled octet.
const std::string& pool() {
  static const std::string octets = [] {
    std::string made;
    for (Random random(0x1F); made.size() < (1U << 20U);) {
      const std::uint64_t word = random.next();
      for (unsigned shift = 0; shift < 64; shift += 8) made += static_cast<char>(word >> shift);
    }
    return made;
  }();
  return octets;
}

void append_random(std::string& out, Random& random, std::uint64_t size) {
  while (size > 0) {
    const std::uint64_t begin = random.below(pool().size());
    const std::uint64_t part = std::min(size, pool().size() - begin);
    out.append(pool(), begin, part);
    size -= part;
  }
}

void append_body(std::string& out, Random& random, std::uint64_t size, std::size_t lines) {
  const std::size_t end = out.size() + size;
  while (out.size() < end) {
    out += body_lines[random.below(lines)];
    append_random(out, random, random.below(4096));
  }
  out.resize(end);
}

// One direction of one session.
class OctetSource : public Source {
 public:
  OctetSource(const OctetPlan& plan, Way way, bool filtered)
      : plan_(plan),
        way_(way),
        filtered_(filtered),
        random_(derive(plan.seed, plan.session * 2 + (way == Way::client_to_server ? 0 : 1))) {}

  Piece next() override {
    piece_.clear();
    if (over_) return {};
    return plan_.shape == Shape::valid ? next_valid() : next_wild();
  }

 private:
  bool server() const noexcept { return way_ == Way::server_to_client; }
  std::size_t body_line_count() const noexcept {
    return plan_.shape == Shape::valid ? body_lines.size() : harmless_body_lines;
  }

  Piece next_valid() {
    const bool last = server() ? made_ >= plan_.octets : commands_ == valid_commands;
    if (last) {
      over_ = true;
      piece_ = server() ? "* BYE Logging out\r\nzz OK Logout completed.\r\n" : "zz LOGOUT\r\n";
      return {piece_, server() ? after_all : 0};
    }
    if (made_ == 0 && server()) piece_ = "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n";
    if (server()) {
      server_item();
    } else {
      client_item(plan_.octets / valid_commands * 3);  // some are lines only
    }
    made_ += piece_.size();
    return {piece_, 0};
  }

  // Both ends must agree on the total of such a session beforehand: it is cut to the octet.
  Piece next_wild() {
    if (made_ == 0 && server() && plan_.session % 2 == 0) piece_ = "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n";
    if (plan_.shape == Shape::random) {
      append_random(piece_, random_, random_.between(1, 65536));
    } else {
      nearly_valid_item();
    }
    const bool second = plan_.client_first == server();
    const std::uint64_t early = plan_.octets - (second ? late_octets : 0);
    const bool late = made_ >= early;
    piece_.resize(std::min<std::uint64_t>(piece_.size(), (late ? plan_.octets : early) - made_));
    made_ += piece_.size();
    over_ = made_ == plan_.octets;
    return {piece_, late && second ? after_eof : 0};
  }

  void nearly_valid_item() {
    const std::size_t begin = piece_.size();
    if (server()) {
      server_item();
      if (random_.chance(30)) piece_ += tag() + (random_.chance(70) ? " OK " : " NO ") + "done\r\n";
    } else {
      client_item(4000);
      if (random_.chance(5)) piece_ += tag() + " " + std::string(random_.pick(odd_client_lines));
    }
    for (std::uint64_t errors = random_.below(3); errors > 0; --errors) {
      const std::size_t at = begin + random_.below(piece_.size() - begin);
      switch (random_.below(4)) {
        case 0:
          piece_.erase(at, 1);
          break;
        case 1:
          piece_.insert(at, 1, piece_[at]);
          break;
        case 2:
          piece_[at] = static_cast<char>(random_.next());
          break;
        default:
          piece_.insert(at, random_.pick(odd_tokens));
          break;
      }
      if (piece_.size() == begin) piece_ += ' ';
    }
  }

  void server_item() {
    for (std::uint64_t lines = random_.below(6); lines > 0; --lines) piece_ += random_.pick(server_lines);
    if (plan_.capability_words && plan_.shape == Shape::valid && random_.chance(30)) capability_item();
    const std::uint64_t size = random_.below(std::uint64_t{1} << random_.between(1, 17));
    piece_ += "* " + std::to_string(random_.below(1000)) + " FETCH (UID 4 BODY[] {" + std::to_string(size) + "}\r\n";
    append_body(piece_, random_, size, body_line_count());
    piece_ += " FLAGS (\\Seen))\r\n";
  }

  void capability_item() {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 3> lines = {{
        {"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-256 IDLE\r\n",
         "* CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE\r\n"},
        {"* OK [CAPABILITY IMAP4rev1 IDLE STARTTLS] see STARTTLS\r\n",
         "* OK [CAPABILITY IMAP4rev1 IDLE] see STARTTLS\r\n"},
        {"* capability imap4rev1 starttls literal+ starttlsx xstarttls\r\n",
         "* capability imap4rev1 literal+ starttlsx xstarttls\r\n"},
    }};
    const auto& [sent, expected] = random_.pick(lines);
    piece_ += filtered_ ? expected : sent;
    if (filtered_) made_ += sent.size() - expected.size();  // both ends count what is sent
  }

  void client_item(std::uint64_t octets) {
    ++commands_;
    piece_ += tag() + " ";
    if (random_.chance(30)) {
      piece_ += random_.pick(client_lines);
      return;
    }
    const std::uint64_t size = random_.below(octets + 1);
    piece_ += "APPEND saved-messages (\\Seen) {" + std::to_string(size) + "+}\r\n";
    append_body(piece_, random_, size, body_line_count());
    piece_ += "\r\n";
  }

  std::string tag() { return "a" + std::to_string(random_.below(40)); }

  OctetPlan plan_;
  Way way_;
  bool filtered_;
  bool over_ = false;
  Random random_;
  std::string piece_;
  std::uint64_t made_ = 0;
  std::uint64_t commands_ = 0;
};

}  // namespace

SessionPlan plan_octets(const OctetPlan& plan) {
  SessionPlan session;
  session.client_to_server = {std::make_unique<OctetSource>(plan, Way::client_to_server, false),
                              std::make_unique<OctetSource>(plan, Way::client_to_server, false)};
  session.server_to_client = {std::make_unique<OctetSource>(plan, Way::server_to_client, false),
                              std::make_unique<OctetSource>(plan, Way::server_to_client, true)};
  if (plan.shape != Shape::valid) session.ending = {plan.client_first, plan.octets - late_octets};
  return session;
}

}  // namespace traffic
