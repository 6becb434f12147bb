"""A private Dovecot on loopback: everything it writes lies in one directory, and stop() leaves no process behind.

    server = Dovecot(directory)        # or Dovecot(directory, "mail_plugins = imap_zlib\n")
    server.start()                     # server.imap and server.imaps are its ports
    server.add_mail("alice", "INBOX", [b"Subject: one\n\nHello\n"])
    server.doveadm("kick", "alice")    # alice's clients get `* BYE`
    server.change_users(NO_USERS)      # logins are answered `NO [UNAVAILABLE]`, until change_users(USERS)
    server.stop()

Any user name may log in with PASSWORD. The certificate (server.certificate) is for localhost and 127.0.0.1.
"""
import grp
import itertools
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time

from processes import Child, free_port

PASSWORD = "secret"
# Who may log in: whoever has the password; nobody, because the server cannot find out.
USERS = f"driver = static\n  args = password={PASSWORD}"
NO_USERS = "driver = checkpassword\n  args = /nonexistent/checkpassword"

# Dovecot puts unix sockets under its base_dir, and the kernel ends their paths at 107 octets.
LONGEST_DIRECTORY = 70

delivered = itertools.count()

# The penalty for failed logins is off: behind a proxy every client has the proxy's address, and one client's bad
# password would delay all.
CONFIGURATION = """\
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{directory}/cert.pem
ssl_key = <{directory}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
mail_location = maildir:~/Maildir
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 100
mail_max_userip_connections = 0
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
passdb {{
  {users}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={mail}/%u
}}
"""


class Dovecot:
    """One server in `directory` (made if absent). `options`: further lines of configuration; they win. `mail`: the
    folder of all mail, for several servers that have the same."""

    def __init__(self, directory, options="", mail=None):
        self.directory = os.path.abspath(directory)
        self.options = options
        self.mail = os.path.abspath(mail) if mail else self._path("mail")
        self.users = USERS
        self.imap = self.imaps = 0
        self.certificate = self._path("cert.pem")
        self.log = self._path("dovecot.log")
        # Dovecot gives no mail to root: started by root, it serves as the user that its package made.
        root = os.geteuid() == 0
        self.user = "dovecot" if root else pwd.getpwuid(os.geteuid()).pw_name
        self.group = "dovecot" if root else grp.getgrgid(os.getegid()).gr_name
        self._child = None
        if len(self.directory) > LONGEST_DIRECTORY:
            raise ValueError(f"Dovecot's directory may have {LONGEST_DIRECTORY} characters: {self.directory}")

    def start(self):
        """Starts on free ports; returns when both accept. RuntimeError with Dovecot's own words if it cannot."""
        require("dovecot", "doveadm", "openssl")
        self._prepare()
        for _ in range(5):  # a free port can be taken before Dovecot binds it
            self.imap, self.imaps = free_port(), free_port()
            self._configure()
            if self._launch():
                return self
            if "Address already in use" not in self._log_text():
                break
        raise self._failure()

    def start_again(self):
        """As it was and on the ports that it had, after stop() or kill(), for all users."""
        self.users = USERS
        self._configure()
        if not self._launch():
            raise self._failure()

    def stop(self):
        """Ends the server and every process of it. The directory stays."""
        if self._child:
            self._child.stop()
            self._child = None

    def kill(self):
        """Every process of it dies at once, without a word."""
        self.signal(signal.SIGKILL)
        self.stop()

    def signal(self, number):
        """Sends it to every process of the server."""
        self._child.signal(number)

    def change_users(self, users):
        """USERS or NO_USERS may log in from now on."""
        self.users = users
        self._configure()
        self.doveadm("reload")

    def address(self):
        return f"127.0.0.1:{self.imap}"

    def doveadm(self, *arguments):
        """The output of `doveadm ARGUMENTS`; subprocess.CalledProcessError if it fails."""
        command = [find("doveadm"), "-c", self._path("dovecot.conf"), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def add_mail(self, user, mailbox, messages):
        """Delivers messages (bytes) in this order to a mailbox (`Lists/IMAP`), which is made if absent."""
        home = os.path.join(self.mail, user)
        folders = [home, os.path.join(home, "Maildir")]
        if mailbox != "INBOX":
            folders.append(os.path.join(folders[-1], "." + mailbox.replace("/", ".")))
        for folder in folders + [os.path.join(folders[-1], name) for name in ("cur", "new", "tmp")]:
            self._make_folder(folder)
        for message in messages:
            self._deliver(folders[-1], message)

    def pid(self):
        """The master's process id, as master.pid has it; 0 while there is none."""
        try:
            with open(self._path("run", "master.pid"), encoding="ascii") as file:
                return int(file.read() or 0)
        except FileNotFoundError:
            return 0

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _path(self, *names):
        return os.path.join(self.directory, *names)

    def _prepare(self):
        os.makedirs(self.directory, exist_ok=True)
        os.makedirs(self.mail, exist_ok=True)
        if os.geteuid() == 0:
            open_the_way(self.directory)
        if not os.path.exists(self.certificate):
            make_certificate(self.certificate, self._path("key.pem"))
        self._give(self.directory)
        self._give(self.mail)

    def _configure(self):
        text = CONFIGURATION.format(directory=self.directory, user=self.user, group=self.group, imap=self.imap,
                                    imaps=self.imaps, mail=self.mail, users=self.users)
        with open(self._path("dovecot.conf"), "w", encoding="utf-8") as file:
            file.write(text + self.options)

    def _launch(self):
        open(self.log, "w", encoding="utf-8").close()
        with open(self.log, "a", encoding="utf-8") as output:
            self._child = Child([find("dovecot"), "-F", "-c", self._path("dovecot.conf")], stdout=output, stderr=output)
        # The master binds its ports first and writes master.pid after that.
        return self._child.wait_ready(lambda: self.pid() == self._child.pid, 20, "Dovecot to start")

    def _failure(self):
        return RuntimeError(f"Dovecot did not start: {self._log_text()[-2000:]}")

    def _log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def _make_folder(self, path):
        try:
            os.mkdir(path, 0o700)
            self._give(path)
        except FileExistsError:
            pass

    def _deliver(self, maildir, message):
        """Dovecot sees a message the moment it is in new/, so it is complete and Dovecot's own before that."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        name = f"{seconds}.M{nanoseconds // 1000:06}P{os.getpid()}Q{next(delivered)}.localhost"
        draft = os.path.join(maildir, "tmp", name)
        with open(draft, "xb") as file:
            file.write(message)
        self._give(draft)
        os.rename(draft, os.path.join(maildir, "new", name))

    def _give(self, path):
        if os.geteuid() == 0:
            shutil.chown(path, self.user, self.group)


def find(program):
    """The program's path; /usr/sbin is looked into also where the user's PATH leaves it out."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def require(*programs):
    missing = [program for program in programs if not find(program)]
    if missing:
        raise RuntimeError(f"not installed: {', '.join(missing)} (Debian: dovecot-imapd, openssl)")


def open_the_way(directory):
    """Lets Dovecot's user reach the directory: o+x on its parents below the system's directory for scratch files."""
    scratch = os.path.abspath(tempfile.gettempdir())
    parent = os.path.dirname(directory)
    while parent != "/":
        mode = os.stat(parent).st_mode
        if not mode & stat.S_IXOTH:
            if os.path.commonpath([parent, scratch]) != scratch:
                raise RuntimeError(f"Dovecot's user cannot enter {parent}: choose a directory below {scratch}")
            os.chmod(parent, mode | stat.S_IXOTH)
        parent = os.path.dirname(parent)


def make_certificate(certificate, key):
    subprocess.run([find("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-out", certificate, "-keyout", key], check=True, capture_output=True)
