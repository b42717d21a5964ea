# libwebp with its container libraries, as the target WebP::WebP. Debian's packages come without CMake
# files for it.
find_path(WEBP_INCLUDE_DIR webp/decode.h)
set(parts "")
foreach(part webpdemux webpmux webp)
  find_library(WEBP_${part}_LIBRARY ${part})
  list(APPEND parts WEBP_${part}_LIBRARY)
endforeach()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(WebP REQUIRED_VARS WEBP_INCLUDE_DIR ${parts})
if(WebP_FOUND AND NOT TARGET WebP::WebP)
  add_library(WebP::WebP INTERFACE IMPORTED)
  target_include_directories(WebP::WebP INTERFACE ${WEBP_INCLUDE_DIR})
  target_link_libraries(WebP::WebP INTERFACE ${WEBP_webpdemux_LIBRARY} ${WEBP_webpmux_LIBRARY}
                                             ${WEBP_webp_LIBRARY})
endif()
