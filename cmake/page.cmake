# The page's files as bytes of the program: one generated source, made anew when one of them changes.
# GNU as includes them (.incbin), so that no compiler sees a million numbers.
set(page_dir ${PROJECT_SOURCE_DIR}/src/serve/page)
file(GLOB page_files CONFIGURE_DEPENDS ${page_dir}/*.html ${page_dir}/*.css ${page_dir}/*.js
     ${page_dir}/*.svg)
set(page_source ${CMAKE_BINARY_DIR}/page_files.cc)
set(objects "")
set(rows "")
set(number 0)
foreach(file ${page_files})
  get_filename_component(name ${file} NAME)
  get_filename_component(extension ${file} LAST_EXT)
  set(type "text/html; charset=utf-8")
  if(extension STREQUAL ".css")
    set(type "text/css; charset=utf-8")
  elseif(extension STREQUAL ".js")
    set(type "text/javascript; charset=utf-8")
  elseif(extension STREQUAL ".svg")
    set(type "image/svg+xml")
  endif()
  string(APPEND objects "asm(\".section .rodata\\n\"\n    \"januspro_page_${number}: .incbin \\\"${file}\\\"\\n\"\n    \"januspro_page_${number}_end: .byte 0\\n\"\n    \".previous\\n\");\nextern \"C\" const char januspro_page_${number}[];\nextern \"C\" const char januspro_page_${number}_end[];\n")
  string(APPEND rows "    {\"${name}\", \"${type}\", {januspro_page_${number}, static_cast<size_t>(januspro_page_${number}_end - januspro_page_${number})}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(CONFIGURE OUTPUT ${page_source} @ONLY CONTENT
"// Made by cmake/page.cmake.
#include \"serve/page.h\"

${objects}
namespace janus::serve {

std::span<const PageFile> page_files() {
  static const PageFile files[] = {
${rows}  };
  return files;
}

}  // namespace janus::serve
")
set_source_files_properties(${page_source} PROPERTIES OBJECT_DEPENDS "${page_files}")
target_sources(janus_serve PRIVATE ${page_source})
