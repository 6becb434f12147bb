# The console's files and the packaged charting library, in the binary. Each file of metrics/console is served under
# /console/, but for the page itself.
set(chart_js /usr/share/javascript/chart.js/chart.min.js CACHE FILEPATH "Of the package libjs-chart.js")
if(NOT EXISTS ${chart_js})
  message(FATAL_ERROR "${chart_js} is missing: install libjs-chart.js")
endif()
file(GLOB console CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/metrics/console/*.js ${CMAKE_SOURCE_DIR}/metrics/console/*.css)
set(embedded "/|text/html|${CMAKE_SOURCE_DIR}/metrics/console/index.html" "/chart.js|text/javascript|${chart_js}")
foreach(file ${console})
  get_filename_component(name ${file} NAME)
  if(name MATCHES "css$")
    list(APPEND embedded "/console/${name}|text/css|${file}")
  else()
    list(APPEND embedded "/console/${name}|text/javascript|${file}")
  endif()
endforeach()
set(embedded_files ${CMAKE_BINARY_DIR}/embedded_files.cc)
add_custom_command(
  OUTPUT ${embedded_files}
  COMMAND ${CMAKE_COMMAND} "-DOUTPUT=${embedded_files}" "-DFILES=${embedded}" -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${console} ${CMAKE_SOURCE_DIR}/metrics/console/index.html ${chart_js} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  VERBATIM)
target_sources(metrics PRIVATE ${embedded_files})
