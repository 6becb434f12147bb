# Puts files into the binary: writes a C++ file that defines metrics::embedded_files().
#   cmake -DOUTPUT=FILE.cc -DFILES="/url|type|path;…" -P embed.cmake
# As numbers: a string literal of C++ may be no longer than 64 KiB.
set(arrays "")
set(entries "")
set(number 0)
foreach(entry IN LISTS FILES)
  string(REPLACE "|" ";" parts "${entry}")
  list(GET parts 0 url)
  list(GET parts 1 type)
  list(GET parts 2 path)
  file(READ "${path}" hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
  string(APPEND arrays "constexpr char file_${number}[] = {${bytes}0};\n")
  string(APPEND entries "    {\"${url}\", \"${type}\", {file_${number}, ${size}}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUTPUT}"
     "#include \"metrics/embedded_files.h\"\n\nnamespace imapmeter::metrics {\nnamespace {\n\n${arrays}\n"
     "constexpr EmbeddedFile files[] = {\n${entries}};\n\n}  // namespace\n\n"
     "std::span<const EmbeddedFile> embedded_files() noexcept { return files; }\n\n}  // namespace imapmeter::metrics\n")
