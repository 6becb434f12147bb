#include "proxy/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace imapmeter::proxy {
namespace {

constexpr std::uint32_t kept = 1U << CAP_NET_BIND_SERVICE;  // in the first word of a capability set
using CapabilitySets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

void check(long result, const std::string& user, const char* what) {
  if (result != 0)
    throw std::runtime_error("cannot become the user " + user + ": " + what + ": " + std::strerror(errno));
}

// Nothing that this process may start can have more.
void limit_bounding_set(const std::string& user) {
  for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    if (capability != CAP_NET_BIND_SERVICE)
      check(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), user, "dropping capabilities");
}

// A container may have been refused even the one: then low ports cannot be bound, which says so itself.
void keep_one_capability(const std::string& user) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  CapabilitySets sets{};
  check(syscall(SYS_capget, &header, sets.data()), user, "capget");
  const std::uint32_t have = sets[0].permitted & kept;
  sets = {};
  sets[0].permitted = sets[0].effective = have;
  check(syscall(SYS_capset, &header, sets.data()), user, "capset");
}

}  // namespace

void become(const std::string& user) {
  errno = 0;
  const passwd* entry = getpwnam(user.c_str());
  if (entry == nullptr)
    throw std::runtime_error("there is no user " + user + (errno == 0 ? "" : std::string(": ") + std::strerror(errno)));
  const uid_t uid = entry->pw_uid;
  const gid_t gid = entry->pw_gid;
  if (geteuid() != 0) {
    if (geteuid() == uid) return;
    throw std::runtime_error("only root can become the user " + user);
  }
  limit_bounding_set(user);
  check(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), user, "keeping capabilities");
  check(initgroups(user.c_str(), gid), user, "setting its groups");
  check(setresgid(gid, gid, gid), user, "setting its group");
  check(setresuid(uid, uid, uid), user, "setting its id");
  keep_one_capability(user);
  if (uid != 0 && setuid(0) == 0) throw std::runtime_error("the user " + user + " could become root again");
}

}  // namespace imapmeter::proxy
