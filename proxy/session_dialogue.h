// What a session keeps while it speaks itself, before TLS: allocated for that time, and cleansed.
#pragma once

#include <openssl/crypto.h>

#include "proxy/imap/starttls_dialogue.h"

namespace imapmeter::proxy {

struct SessionDialogue {
  SessionDialogue() = default;
  ~SessionDialogue() { OPENSSL_cleanse(&client, sizeof client); }
  SessionDialogue(const SessionDialogue&) = delete;
  SessionDialogue& operator=(const SessionDialogue&) = delete;

  imap::UpstreamDialogue upstream{imap::UpstreamDialogue::Goal::greeting};
  imap::ClientDialogue client;
  bool upstream_ready = false;  // its leg is as it stays
  bool client_greeted = false;
};

}  // namespace imapmeter::proxy
