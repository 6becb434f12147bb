# Compiler and linker flags for every target (interface target imapmeter_flags). Hardening flags are probed one by one:
# compilers differ in what they take.
include(CheckCXXCompilerFlag)
include(CheckLinkerFlag)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")

add_library(imapmeter_flags INTERFACE)
target_compile_options(imapmeter_flags INTERFACE -Wall -Wextra -Wconversion -Wformat=2 -Werror=format-security)
if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
  target_compile_options(imapmeter_flags INTERFACE -Wreserved-identifier -Wzero-as-null-pointer-constant)
endif()
if(IMAPMETER_WERROR)
  target_compile_options(imapmeter_flags INTERFACE -Werror)
endif()

function(imapmeter_probe flag)
  string(MAKE_C_IDENTIFIER "HAS${flag}" variable)
  # -Werror, since clang only warns of a flag that it does not know
  set(CMAKE_REQUIRED_FLAGS -Werror)
  check_cxx_compiler_flag("${flag}" ${variable})
  if(${variable})
    target_compile_options(imapmeter_flags INTERFACE ${flag})
  endif()
endfunction()

set(hardening
    -fstack-protector-strong
    -fstack-clash-protection
    -fcf-protection=full
    -ftrivial-auto-var-init=zero
    -fzero-call-used-regs=used-gpr
    -fno-delete-null-pointer-checks
    -fno-strict-overflow)
if(IMAPMETER_SANITIZE)
  set(hardening)  # it hides what sanitizers look for: with -fno-strict-overflow UBSan sees no overflow
endif()
if(IMAPMETER_FUZZ)
  # What finds more here is speed; and a finding of UBSan ends the run.
  target_compile_options(imapmeter_flags INTERFACE "SHELL:-mllvm -inline-threshold=600" -fno-sanitize-recover=all)
endif()
foreach(flag ${hardening})
  imapmeter_probe(${flag})
endforeach()
target_compile_definitions(imapmeter_flags INTERFACE _GLIBCXX_ASSERTIONS)

if(IMAPMETER_SANITIZE)
  target_compile_definitions(imapmeter_flags INTERFACE IMAPMETER_SANITIZED)
  target_compile_options(imapmeter_flags INTERFACE -fsanitize=${IMAPMETER_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(imapmeter_flags INTERFACE -fsanitize=${IMAPMETER_SANITIZE})
  if(IMAPMETER_SANITIZE STREQUAL thread)
    # TSan does not know fences; Asio's queues are ordered by their mutexes as well.
    target_compile_definitions(imapmeter_flags INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
elseif(CMAKE_BUILD_TYPE STREQUAL Release)
  target_compile_options(imapmeter_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()

foreach(flag -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
  string(MAKE_C_IDENTIFIER "LINKS${flag}" variable)
  check_linker_flag(CXX ${flag} ${variable})
  if(${variable})
    target_link_options(imapmeter_flags INTERFACE ${flag})
  endif()
endforeach()
include(CheckPIESupported)
check_pie_supported()
