#include "proxy/imap/client_software.h"

#include <array>
#include <cstddef>
#include <string_view>

#include "proxy/imap/octets.h"

namespace imapmeter::imap {
namespace {

struct KnownName {
  std::string_view word;  // upper case
  ClientSoftware software;
};

// What programs write into `name`, by what they are; Android's often write the name of their package.
constexpr std::array known_names = {
    KnownName{"IPHONE MAIL", ClientSoftware::apple_mail_ios},
    KnownName{"IPAD MAIL", ClientSoftware::apple_mail_ios},
    KnownName{"IPOD MAIL", ClientSoftware::apple_mail_ios},
    KnownName{"IOS MAIL", ClientSoftware::apple_mail_ios},
    KnownName{"COM.APPLE.EMAIL.MAILD", ClientSoftware::apple_mail_ios},
    KnownName{"MAC OS X MAIL", ClientSoftware::apple_mail_macos},
    KnownName{"MACOS MAIL", ClientSoftware::apple_mail_macos},
    KnownName{"COM.APPLE.MAIL", ClientSoftware::apple_mail_macos},
    KnownName{"MICROSOFT OUTLOOK", ClientSoftware::outlook},
    KnownName{"OUTLOOK", ClientSoftware::outlook},
    KnownName{"OUTLOOK-IOS", ClientSoftware::outlook_mobile},
    KnownName{"OUTLOOK-ANDROID", ClientSoftware::outlook_mobile},
    KnownName{"OUTLOOK FOR IOS", ClientSoftware::outlook_mobile},
    KnownName{"OUTLOOK FOR ANDROID", ClientSoftware::outlook_mobile},
    KnownName{"COM.MICROSOFT.OFFICE.OUTLOOK", ClientSoftware::outlook_mobile},
    KnownName{"THUNDERBIRD", ClientSoftware::thunderbird},
    KnownName{"MOZILLA THUNDERBIRD", ClientSoftware::thunderbird},
    KnownName{"K-9", ClientSoftware::k9_mail},
    KnownName{"COM.FSCK.K9", ClientSoftware::k9_mail},
    KnownName{"FAIREMAIL", ClientSoftware::fairemail},
    KnownName{"EU.FAIRCODE.EMAIL", ClientSoftware::fairemail},
    KnownName{"GMAIL", ClientSoftware::gmail_app},
    KnownName{"COM.GOOGLE.ANDROID.GM", ClientSoftware::gmail_app},
    KnownName{"SAMSUNG EMAIL", ClientSoftware::samsung_email},
    KnownName{"COM.SAMSUNG.ANDROID.EMAIL", ClientSoftware::samsung_email},
    KnownName{"EVOLUTION", ClientSoftware::evolution},
    KnownName{"KMAIL", ClientSoftware::kmail},
    KnownName{"KONTACT", ClientSoftware::kmail},
    KnownName{"EM CLIENT", ClientSoftware::em_client},
    KnownName{"EMCLIENT", ClientSoftware::em_client},
    KnownName{"MAILBIRD", ClientSoftware::mailbird},
    KnownName{"THE BAT", ClientSoftware::the_bat},
    KnownName{"BLUEMAIL", ClientSoftware::bluemail},
    KnownName{"BLUE MAIL", ClientSoftware::bluemail},
    KnownName{"ME.BLUEMAIL.MAIL", ClientSoftware::bluemail},
    KnownName{"SPARK", ClientSoftware::spark},
    KnownName{"COM.READDLE.SMARTEMAIL", ClientSoftware::spark},
    KnownName{"ROUNDCUBE", ClientSoftware::roundcube},
    KnownName{"SOGO", ClientSoftware::sogo},
    KnownName{"NEXTCLOUD", ClientSoftware::nextcloud},
    KnownName{"HORDE", ClientSoftware::horde},
    KnownName{"IMAPSYNC", ClientSoftware::imapsync},
    KnownName{"OFFLINEIMAP", ClientSoftware::offlineimap},
    KnownName{"DOVECOT", ClientSoftware::dovecot},
    KnownName{"IMAPFLOW", ClientSoftware::imapflow},
};

constexpr std::size_t no_name = known_names.size();

constexpr auto make_name_table() {
  std::array<std::string_view, known_names.size()> words{};
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = known_names[i].word;
  return WordTable<known_names.size()>::make(words);
}
constexpr auto name_table = make_name_table();
constexpr auto key_table = WordTable<1>::make(std::array<std::string_view, 1>{"NAME"});

// Of a word that goes on; an octet outside ASCII may be part of a letter.
constexpr bool continues_word(char octet) noexcept {
  const char c = upper(octet);
  return (c >= 'A' && c <= 'Z') || is_digit(c) || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

void ClientSoftwareMatcher::begin() noexcept {
  if (decided_) return;
  found_ = ClientSoftware::other;
  stage_ = Stage::between;
  field_ = Field::key;
}

void ClientSoftwareMatcher::line(std::span<const char> octets) noexcept {
  for (const char octet : octets) {
    if (stage_ == Stage::over) return;
    step(octet);
  }
}

void ClientSoftwareMatcher::literal(std::span<const char> octets, bool last) noexcept {
  if (stage_ == Stage::marker) {
    begin_string();
    stage_ = Stage::literal;
  }
  if (stage_ != Stage::literal) return;
  for (const char octet : octets) string_octet(octet);
  if (last) end_string();
}

void ClientSoftwareMatcher::step(char octet) noexcept {
  if (octet == lf && stage_ != Stage::marker) {  // the command ends, in order or not
    stage_ = Stage::over;
    return;
  }
  switch (stage_) {
    case Stage::between:
      return step_between(octet);
    case Stage::atom:
      if (octet == ' ' || octet == ')') end_field();
      return;
    case Stage::quoted:
      if (octet == '"') return end_string();
      if (octet == '\\') {
        stage_ = Stage::escaped;
        return;
      }
      return string_octet(octet);
    case Stage::escaped:
      stage_ = Stage::quoted;
      return string_octet(octet);
    case Stage::marker:
    case Stage::literal:
    case Stage::over:
      return;
  }
}

void ClientSoftwareMatcher::step_between(char octet) noexcept {
  if (octet == ' ' || octet == '(' || octet == ')' || octet == cr) return;
  if (octet == '"') {
    begin_string();
    stage_ = Stage::quoted;
  } else {
    stage_ = octet == '{' ? Stage::marker : Stage::atom;
  }
}

void ClientSoftwareMatcher::begin_string() noexcept {
  word_.start();
  beginning_ = ClientSoftware::other;
}

void ClientSoftwareMatcher::string_octet(char octet) noexcept {
  if (field_ == Field::key) word_.step(key_table, octet);
  if (field_ != Field::name) return;
  if (!continues_word(octet)) note_word();
  word_.step(name_table, octet);
}

void ClientSoftwareMatcher::end_string() noexcept {
  if (field_ != Field::name) return end_field();
  note_word();
  found_ = beginning_;
  decided_ = true;
  stage_ = Stage::over;
}

void ClientSoftwareMatcher::end_field() noexcept {
  const bool name = field_ == Field::key && stage_ != Stage::atom && word_.found(key_table, 1) == 0;
  field_ = field_ != Field::key ? Field::key : name ? Field::name : Field::value;
  stage_ = Stage::between;
}

// All octets of the value so far are a word of the list.
void ClientSoftwareMatcher::note_word() noexcept {
  const std::size_t index = word_.found(name_table, no_name);
  if (index != no_name) beginning_ = known_names[index].software;
}

}  // namespace imapmeter::imap
