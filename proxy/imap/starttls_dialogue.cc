#include "proxy/imap/starttls_dialogue.h"

#include <algorithm>

#include "proxy/imap/octets.h"

namespace imapmeter::imap {
namespace {

// In the order of ClientDialogue::Command.
constexpr std::array<std::string_view, 7> commands = {"CAPABILITY", "NOOP",         "LOGOUT", "STARTTLS",
                                                      "LOGIN",      "AUTHENTICATE", "ID"};
constexpr auto command_table = WordTable<commands.size()>::make(commands);

constexpr char tls_handshake = 0x16;  // the first octet of a TLS connection: a record of this type
constexpr char tab = '\t';

constexpr bool is_control(char octet) noexcept {
  const auto value = static_cast<unsigned char>(octet);
  return (value < 0x20 && octet != cr && octet != lf && octet != tab) || value == 0x7f;
}

constexpr std::array<std::string_view, 1> offers = {"STARTTLS"};
constexpr auto offer_table = WordTable<offers.size()>::make(offers);

// Tags of two octets: TagHash tells any two of them apart, whatever its key.
constexpr std::string_view ask_capability = "s1 CAPABILITY\r\n";
constexpr std::string_view ask_starttls = "s2 STARTTLS\r\n";
constexpr std::string_view ask_inside = "s3 CAPABILITY\r\n";

TagHash tag_of(std::string_view command) noexcept {
  TagHash tag;
  tag.step(0, command[0]);
  tag.step(0, command[1]);
  return tag;
}

}  // namespace

// --- towards a client ------------------------------------------------------------------------------------------------

ClientDialogue::Read ClientDialogue::read(std::span<const char> octets) noexcept {
  if (stage_ == Stage::switching)
    return {0, {}, octets.front() == tls_handshake ? Verdict::start_tls : Verdict::injection};
  std::size_t taken = 0;
  for (const char octet : octets) {
    ++taken;
    ++length_;
    if (length_ > longest_line || is_control(octet)) {
      Read refused = refuse("* BYE This is not what a client says before TLS\r\n");
      refused.taken = taken;
      return refused;
    }
    if (!step(octet)) continue;
    Read answered = end_line();
    answered.taken = taken;
    return answered;
  }
  return {taken, {}, Verdict::more};
}

// True at the end of the line.
bool ClientDialogue::step(char octet) noexcept {
  if (octet == lf) return true;
  marker_.fold({&octet, 1});
  if (after_cr_) stage_ = Stage::odd;  // a CR that ends no line
  after_cr_ = octet == cr;
  if (after_cr_) return false;
  switch (stage_) {
    case Stage::start:
    case Stage::tag:
      step_tag(octet);
      break;
    case Stage::name:
      step_name(octet);
      break;
    default:
      break;
  }
  return false;
}

void ClientDialogue::step_tag(char octet) noexcept {
  if (octet == ' ' && stage_ == Stage::tag) {
    stage_ = Stage::name;
  } else if (is_tag_char(octet) && tag_size_ < tag_.size()) {
    stage_ = Stage::tag;
    tag_[tag_size_++] = octet;
  } else {
    stage_ = Stage::odd;
  }
}

void ClientDialogue::step_name(char octet) noexcept {
  if (octet != ' ') {
    word_.step(command_table, octet);
  } else {
    stage_ = word_.depth == 0 ? Stage::odd : Stage::arguments;
  }
}

ClientDialogue::Read ClientDialogue::end_line() noexcept {
  const bool whole = (stage_ == Stage::name && word_.depth > 0) || stage_ == Stage::arguments;
  const auto none = static_cast<std::size_t>(Command::none);
  const auto command = static_cast<Command>(whole ? word_.found(command_table, none) : none);
  const bool login = command == Command::login || command == Command::authenticate;
  const bool arguments = stage_ == Stage::arguments;
  if (!whole) tag_size_ = 0;  // what looks like a tag may be a part of a login
  Read result;
  if (marker_.complete()) {
    result = refuse("* BYE No literals before TLS\r\n");
  } else {
    result = login ? refuse_login() : answer(command, arguments);
  }
  result.login_refused = login;
  begin_line();
  return result;
}

ClientDialogue::Read ClientDialogue::answer(Command command, bool arguments) noexcept {
  if (arguments && command != Command::id) command = Command::none;
  switch (command) {
    case Command::capability:
      return {0, tagged("* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n", " OK done\r\n")};
    case Command::id:
      return {0, tagged("* ID NIL\r\n", " OK done\r\n")};
    case Command::noop:
      return {0, tagged("", " OK done\r\n")};
    case Command::logout:
      return {0, tagged("* BYE until next time\r\n", " OK done\r\n"), Verdict::logout};
    case Command::starttls:
      switching_ = true;
      return {0, tagged("", " OK begin TLS now\r\n")};
    default:
      break;
  }
  if (++bad_ > most_bad) return refuse("* BYE Too much that is not understood\r\n");
  return {0, tagged("", " BAD not understood before TLS\r\n")};
}

ClientDialogue::Read ClientDialogue::refuse_login() noexcept {
  if (++logins_ > most_logins) {
    Read refused = refuse("* BYE No login without TLS\r\n");
    refused.verdict = Verdict::plaintext;
    return refused;
  }
  return {0, tagged("", " NO [PRIVACYREQUIRED] use STARTTLS first\r\n")};
}

ClientDialogue::Read ClientDialogue::refuse(std::string_view why) noexcept { return {0, why, Verdict::limit}; }

// The line's tag, or `*` where it has none, between the two.
std::string_view ClientDialogue::tagged(std::string_view before, std::string_view after) noexcept {
  const std::string_view tag = tag_size_ == 0 ? std::string_view("*") : std::string_view(tag_.data(), tag_size_);
  auto end = std::copy(before.begin(), before.end(), reply_.begin());
  end = std::copy(tag.begin(), tag.end(), end);
  end = std::copy(after.begin(), after.end(), end);
  return {reply_.data(), static_cast<std::size_t>(end - reply_.begin())};
}

void ClientDialogue::begin_line() noexcept {
  marker_.start();
  word_.start();
  tag_.fill(0);
  length_ = 0;
  tag_size_ = 0;
  after_cr_ = false;
  stage_ = switching_ ? Stage::switching : Stage::start;
}

// --- towards a server ------------------------------------------------------------------------------------------------

UpstreamDialogue::Read UpstreamDialogue::read(std::span<const char> octets) noexcept {
  std::size_t taken = 0;
  while (taken < octets.size()) {
    if (stage_ == Stage::tls) return {taken, Verdict::injection};
    if (octets_ == longest) return {taken, unreadable()};
    const std::span<const char> rest = octets.subspan(taken, std::min(octets.size() - taken, longest - octets_));
    if (scanner_.at_line_start()) early_ = !to_say_.empty();
    const ResponseScanner::Scan scan = in_list_ ? take_list(rest) : scanner_.scan(rest, 0);
    taken += scan.taken;
    octets_ += scan.taken;
    Verdict verdict = on_token(scan.token);
    if (verdict == Verdict::start_tls && taken < octets.size()) verdict = Verdict::injection;
    if (verdict != Verdict::more) return {taken, verdict};
  }
  return {taken, Verdict::more};
}

bool UpstreamDialogue::begin_inside_tls() noexcept {
  if (goal_ != Goal::capabilities) return false;
  scanner_ = ResponseScanner();
  octets_ = list_size_ = 0;
  ask(ask_inside, Stage::inside);
  return true;
}

UpstreamDialogue::Verdict UpstreamDialogue::on_token(ResponseScanner::Token token) noexcept {
  switch (token) {
    case ResponseScanner::Token::list:
      begin_list();
      return Verdict::more;
    case ResponseScanner::Token::part:
      return misplaced();
    case ResponseScanner::Token::line:
      return on_line();
    case ResponseScanner::Token::unreadable:
      return unreadable();
    default:
      return Verdict::more;
  }
}

void UpstreamDialogue::begin_list() noexcept {
  in_list_ = true;
  in_word_ = offered_ = too_long_ = false;
  list_size_ = 0;
}

// The words, each behind its SP; any other octet ends the list.
ResponseScanner::Scan UpstreamDialogue::take_list(std::span<const char> octets) noexcept {
  std::size_t taken = 0;
  while (taken < octets.size() && (octets[taken] == ' ' || is_atom_char(octets[taken]))) {
    const char octet = octets[taken++];
    if (octet == ' ') {
      end_word();
      word_.start();
      in_word_ = true;
    } else {
      word_.step(offer_table, octet);
    }
    if (stage_ != Stage::inside) continue;
    if (list_size_ < list_.size()) {
      list_[list_size_++] = octet;
    } else {
      too_long_ = true;
    }
  }
  const bool readable = scanner_.skip(taken);
  if (taken < octets.size()) {
    end_word();
    in_list_ = false;
    list_seen_ = true;
    if (too_long_) list_size_ = 0;
  }
  return {taken, readable ? ResponseScanner::Token::more : ResponseScanner::Token::unreadable};
}

void UpstreamDialogue::end_word() noexcept {
  if (in_word_ && word_.found(offer_table, offers.size()) != offers.size()) offered_ = true;
  in_word_ = false;
}

UpstreamDialogue::Verdict UpstreamDialogue::on_line() noexcept {
  const ResponseLine& line = scanner_.line();
  if (stage_ == Stage::greeting) return on_greeting(line);
  switch (line.shape) {
    case ResponseShape::status:
      return on_untagged(line);
    case ResponseShape::tagged:
      return on_tagged(line);
    case ResponseShape::data:
      if (line.keyword == DataKeyword::capability && stage_ == Stage::capability && !early_) return Verdict::more;
      return misplaced();
    default:
      return misplaced();
  }
}

UpstreamDialogue::Verdict UpstreamDialogue::on_greeting(const ResponseLine& line) noexcept {
  greeting_ = line;
  const bool tls = goal_ != Goal::greeting;
  const bool answers = line.shape == ResponseShape::data || (line.shape == ResponseShape::tagged && line.has_condition);
  if (line.shape != ResponseShape::status) return tls && answers ? Verdict::stripped : Verdict::no_greeting;
  stage_ = Stage::over;
  switch (line.condition) {
    case Condition::ok:
      break;
    case Condition::bye:
      return Verdict::bye;
    case Condition::preauth:
      return Verdict::preauth;
    default:
      return Verdict::no_greeting;
  }
  if (!tls) return Verdict::done;
  if (list_seen_) return ask_for_starttls();
  ask(ask_capability, Stage::capability);
  return Verdict::more;
}

UpstreamDialogue::Verdict UpstreamDialogue::on_untagged(const ResponseLine& line) noexcept {
  if (line.condition == Condition::bye) return stage_ == Stage::inside ? Verdict::bye : Verdict::stripped;
  if (line.condition == Condition::preauth && stage_ != Stage::inside) return Verdict::preauth;
  return Verdict::more;
}

UpstreamDialogue::Verdict UpstreamDialogue::on_tagged(const ResponseLine& line) noexcept {
  if (stage_ == Stage::inside) return line.tag == tag_of(ask_inside) ? Verdict::done : Verdict::more;
  const std::string_view asked = stage_ == Stage::capability ? ask_capability : ask_starttls;
  if (early_ || !line.has_condition || line.tag != tag_of(asked)) return Verdict::stripped;
  const bool ok = line.condition == Condition::ok;
  if (stage_ == Stage::capability) return ok ? ask_for_starttls() : Verdict::stripped;
  if (!ok) return line.condition <= Condition::bad ? Verdict::refused : Verdict::stripped;
  stage_ = Stage::tls;
  return Verdict::start_tls;
}

UpstreamDialogue::Verdict UpstreamDialogue::ask_for_starttls() noexcept {
  if (!offered_) return Verdict::stripped;
  ask(ask_starttls, Stage::starttls);
  return Verdict::more;
}

// Before TLS it may be anybody's; inside TLS it is the server's, and no business of ours.
UpstreamDialogue::Verdict UpstreamDialogue::misplaced() const noexcept {
  return stage_ == Stage::inside ? Verdict::more : Verdict::stripped;
}

UpstreamDialogue::Verdict UpstreamDialogue::unreadable() const noexcept {
  return stage_ == Stage::greeting || stage_ == Stage::inside ? Verdict::no_greeting : Verdict::stripped;
}

void UpstreamDialogue::ask(std::string_view command, Stage stage) noexcept {
  to_say_ = command;
  stage_ = stage;
}

}  // namespace imapmeter::imap
