# -DIMAPMETER_PLANT=NAME builds one of these bugs into its library, and tests/fuzz/find-planted shows that the fuzz
# target named beside it finds it. The product's own files know nothing of it: in a copy of FILE the text RIGHT, which
# is there once, becomes WRONG, and the copy is compiled instead.
set(IMAPMETER_PLANT "" CACHE STRING "A bug of cmake/plant.cmake, for tests/fuzz/find-planted")

# bug(NAME TARGET FILE RIGHT WRONG)
function(bug name target file right wrong)
  file(READ ${CMAKE_SOURCE_DIR}/${file} text)
  string(FIND "${text}" "${right}" first)
  string(FIND "${text}" "${right}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    message(FATAL_ERROR "cmake/plant.cmake, ${name}: the text to replace must be in ${file} once:\n${right}")
  endif()
  if(name STREQUAL IMAPMETER_PLANT)
    string(REPLACE "${right}" "${wrong}" text "${text}")
    file(WRITE ${CMAKE_BINARY_DIR}/planted/${name}.cc "${text}")
    set(planted_file ${file} PARENT_SCOPE)
  endif()
endfunction()

function(read_bugs)
  # A CR at the end of a read is forgotten when the LF begins the next.
  bug(cr_lf_split line_framer proxy/imap/line_framer.cc
      "  if (content.empty()) return;\n  last_cr_ = content.back() == cr;"
      "  last_cr_ = !content.empty() && content.back() == cr;\n  if (content.empty()) return;")
  # {18446744073709551617} is read as {1}.
  bug(literal_size_wraps line_framer proxy/imap/line_framer.cc
      "if (size_ > (max_literal - value) / 10) {"
      "if (size_ > max_literal) {")
  # The server said NO instead of `+`, and the next command is taken for the literal.
  bug(rejected_literal_swallowed command_scanner proxy/imap/command_scanner.cc
      "  if (stage_ != Stage::waiting) return;\n  stage_ = Stage::ended;"
      "  if (stage_ != Stage::waiting) return;\n  stage_ = Stage::literal_next;")
  # `* OK see {5}`
  bug(text_taken_as_literal response_scanner proxy/imap/response_scanner.cc
      "return line_.code == ResponseCode::badcharset && in_code();"
      "return line_.shape == ResponseShape::status;")
  # The 257th outstanding command overwrites the first.
  bug(tag_block_overflow session_tracker proxy/imap/outstanding_table.cc
      "if (size_ == (block_ ? tag_block_size : inline_size) && !grow()) return false;"
      "if (!block_ && size_ == inline_size && !grow()) return false;")
  # The beginning of a word has gone out after a second's wait, then its end is taken out.
  bug(half_a_word_goes capability_filter proxy/imap/capability_filter.cc
      "const bool gone_out = cut && !held_;\n  const std::string_view word"
      "const bool gone_out = false;\n  const std::string_view word")
  # After a second short write the wrong octets go out.
  bug(short_write_forgotten pump proxy/leg.cc
      "  unsent_begin_ += static_cast"
      "  unsent_begin_ = static_cast")
  # What the settings file says goes into an error message with its line feeds.
  bug(error_of_two_lines config config/scalars.cc
      "if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';"
      "if (c == 0x7f) c = '?';")
  if(IMAPMETER_PLANT AND NOT planted_file)
    message(FATAL_ERROR "cmake/plant.cmake has no bug named ${IMAPMETER_PLANT}")
  endif()
  set(planted_file ${planted_file} PARENT_SCOPE)
endfunction()

# In every build, so that a change of the product that takes a bug's text away is seen at once.
read_bugs()

# imapmeter_plant(VARIABLE): puts the copy in the place of its file, in the list of a library's files.
function(imapmeter_plant variable)
  set(files ${${variable}})
  set(right ${CMAKE_SOURCE_DIR}/${planted_file})
  if(planted_file AND right IN_LIST files)
    list(REMOVE_ITEM files ${right})
    list(APPEND files ${CMAKE_BINARY_DIR}/planted/${IMAPMETER_PLANT}.cc)
    set(${variable} ${files} PARENT_SCOPE)
  endif()
endfunction()
