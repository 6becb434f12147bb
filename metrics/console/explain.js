// What the names in the numbers mean, a sentence each. Every name of the program's own lists has one.

export const opaqueReasons = {
  sasl_layer: 'A SASL mechanism (GSSAPI, NTLM, DIGEST-MD5) put its own layer over the session: let clients use none.',
  multiplex: 'The server granted a Dovecot proxy’s x-multiplex. With trusted_networks the request is taken out.',
  compress_error: 'What should be deflate is none, or COMPRESS was answered where it could not be followed.',
  compress_limit: 'As many sessions as limits.inflated_sessions were compressed already: a higher limit helps.',
  compress_ratio: 'One read of 16 KiB came out as more than 1 MiB.',
  upstream_starttls: 'The server accepted a STARTTLS inside the session. A listener with TLS helps.',
  parser: 'Not IMAP that can be followed: an endless or binary first line, an impossible literal, a broken invariant.',
  disabled: 'Reading is turned off for the listener. Always zero so far.',
  unsupported: 'Something that this version does not read. Always zero so far.',
};

export const anomalies = {
  upstream: {
    greeting_malformed: 'The server’s first line is no greeting, or greets with NO or BAD.',
    late_preauth: 'PREAUTH came later than the first line, or tagged.',
    tagged_bye: 'BYE came with a tag: it answers no command.',
    repeated_bye: 'BYE was said more than once; the first one counts.',
    bye_without_text: 'BYE came without a word to say why.',
    unmatched_tag: 'A tagged answer to no outstanding command.',
    desync: 'After a literal the server’s lines no longer fit: only tagged answers are believed until one fits.',
    garbage_line: 'A line of the server that is no response.',
    empty_line: 'The server sent an empty line.',
    bare_lf: 'A line of the server ended in LF without CR.',
    nul_octet: 'A line of the server contains an octet of value zero.',
    code_unclosed: 'A response code was opened with [ and not closed.',
    missing_space: 'A space is missing behind the condition or the response code.',
    double_space: 'Two spaces where one belongs.',
    literal_plus_from_server: 'The server announced a literal as only clients may: {n+}.',
    quote_open_at_literal: 'A literal was announced inside an open quoted string.',
    data_before_auth: 'The server sent mailbox data before a login.',
    early_completion: 'A command was answered before its last octet had been sent.',
    unauthenticate_no: 'UNAUTHENTICATE was refused with NO: who is logged in is uncertain.',
    other: 'Something else of the server that looked wrong.',
  },
  client: {
    bare_lf: 'A line of the client ended in LF without CR.',
    nul_octet: 'A line of the client contains an octet of value zero.',
    no_command: 'A line of the client that is no command.',
    stray_done: 'DONE came where no IDLE was running.',
    impatient_literal: 'The client sent a literal before the server had asked for it.',
    octets_during_compress: 'The client sent more before COMPRESS was answered.',
    empty_line: 'The client sent an empty line.',
    other: 'Something else of the client that looked wrong.',
  },
};

export const failures = {
  server: {
    login_temporary: 'A login refused for a trouble of the server: UNAVAILABLE, INUSE, LIMIT, SERVERBUG, CONTACTADMIN.',
    login_other: 'A login was refused with a code that is none of the known ones.',
    command_failed: 'A command was answered NO with a code that means a trouble of the server.',
    unreachable: 'The server refused the connection, or none of the upstream is usable.',
    tls: 'The server’s TLS, STARTTLS or certificate failed.',
    greeting: 'The server greeted with BYE, or not at all in time.',
    closed: 'The server ended the connection with a command outstanding.',
    stalled: 'The server did not read what was meant for it.',
    shutdown: 'The server said BYE to shut down or to throw the session out.',
  },
  network: {
    client_tls: 'TLS broke on the client’s side after its handshake.',
    connect_timeout: 'No answer to the connection to the server.',
    dns: 'The server’s name gave no address.',
    vanished: 'A peer was gone without a word.',
  },
  imapmeter: {
    drain: 'imapmeter was stopped with a command outstanding.',
    resources: 'Descriptors, memory or source ports were used up.',
    internal: 'A fault of imapmeter.',
  },
  client: {
    login_rejected: 'User or password were not accepted.',
    login_bad: 'The login was no valid command.',
    login_cancelled: 'The client gave its login up.',
    handshake: 'The client’s TLS handshake failed.',
    command_bad: 'A command was answered BAD.',
    hung_up: 'The client left with a command outstanding, IDLE excepted.',
    stalled: 'The client did not read what was meant for it.',
  },
  policy: {
    login_privacy: 'A login was refused for want of privacy.',
    command_limit: 'A command met a limit or a quota.',
    limit: 'A limit of imapmeter refused the connection.',
    plaintext: 'A login before TLS was refused.',
    inactivity: 'The server’s BYE for inactivity.',
    timeout: 'A time-out of imapmeter ended the session with a command outstanding.',
  },
};

export const parties = {
  server: 'The mail servers',
  network: 'The network',
  imapmeter: 'imapmeter itself',
  client: 'The clients',
  policy: 'Rules and limits',
};

export const outcomes = {
  good: 'nothing went wrong',
  login_rejected: 'user or password not accepted',
  login_failed: 'a login failed for another reason',
  degraded: 'a command failed after login',
  cut: 'ended in the middle',
  unseen: 'relayed, but no longer read',
};

export const byeReasons = {
  logout: 'The answer to the client’s LOGOUT: as it should be.',
  greeting: 'The server refused the connection with its first line.',
  inactivity: 'The client was quiet for too long.',
  shutdown: 'The server shuts down, or threw the session out.',
};

export const signals = {
  throttled: 'Throttled: too much bandwidth or too many requests.',
  too_many_connections: 'Too many connections of one user or address.',
  quota: 'The mailbox is full.',
  authenticated_not_connected: 'A login seemed to succeed, yet the next command said not connected.',
};

export const members = {
  NOT_DEFINED: 'a line in the place of a status response whose condition is none of the five',
  OK: 'OK, tagged or not',
  NO: 'NO, tagged or not',
  BAD: 'BAD, tagged or not',
  PREAUTH: 'a greeting that needs no login',
  BYE: 'the server says goodbye',
  ALERT: 'a text that the user must see',
  BAD_CHARSET: 'a search in a charset that the server does not know',
  CAPABILITY: 'a list of capabilities in a status response',
  PARSE: 'a message that the server cannot read',
  PERMANENT_FLAGS: 'which flags can be kept',
  READ_ONLY: 'a mailbox was opened for reading only',
  READ_WRITE: 'a mailbox was opened for writing',
  TRY_CREATE: 'the target mailbox does not exist, and could be made',
  UID_NEXT: 'the next UID of a mailbox',
  UID_VALIDITY: 'the UIDVALIDITY of a mailbox',
  UNSEEN: 'the first unseen message',
  UNSOLICITED: 'any untagged status response, the greeting included',
};
