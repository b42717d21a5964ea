// See refusal.h. The Hub answers 401 for a repository that does not exist as well as for one that
// may not be seen, so that message has to say both. SPDX-License-Identifier: MIT
#include "hub/refusal.h"

#include "base/error.h"
#include "hub/listing.h"

namespace janus {
namespace {

// The server's own words, where it has any.
std::string quoted(const Refusal& refusal) {
  return refusal.message.empty() ? "" : " (it says: " + printable(refusal.message) + ")";
}

std::string not_allowed(const Subject& subject, const Refusal& refusal) {
  const std::string page = refusal.endpoint + "/" + subject.repo;
  if (refusal.code == "GatedRepo" && !refusal.with_token) {
    return " is gated: accept its terms at " + page + ", then put a token of that account (" +
           refusal.endpoint + "/settings/tokens) into HF_TOKEN or the file $HF_HOME/token";
  }
  if (refusal.code == "GatedRepo") {
    return " is gated, and the account of the token given has no access yet: ask for it at " + page;
  }
  if (refusal.with_token) {
    return " may not be read with the token given: it is mistyped or expired, its account has no "
           "access, or there is no repository of this name";
  }
  return " may not be read without a token: there is no repository of this name, or it is private "
         "or gated; check the name, else put a token that may read it into HF_TOKEN or the file "
         "$HF_HOME/token";
}

std::string not_found(const Subject& subject, const Refusal& refusal) {
  if (refusal.code == "RevisionNotFound") {
    return ": has no branch, tag or commit '" + subject.revision + "'; see " + refusal.endpoint +
           "/" + subject.repo + "/tree/main";
  }
  if (!subject.file.empty()) {
    return " is listed but not there (404); the mirror or the repository is incomplete";
  }
  if (refusal.code == "RepoNotFound") return ": there is no repository of this name";
  return ": there is no repository of this name, or it has no revision '" + subject.revision + "'";
}

}  // namespace

bool may_pass(long status) {
  return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 ||
         status == 503 || status == 504;
}

void fail_refused(const Subject& subject, const Refusal& refusal) {
  switch (refusal.status) {
    case 401:
    case 403:
      fail(Code::bad_input, subject.text(), not_allowed(subject, refusal), quoted(refusal));
    case 404:
    case 410:
      fail(Code::bad_input, subject.text(), not_found(subject, refusal), quoted(refusal));
    default:
      fail(Code::device_failure, subject.text(), ": ", refusal.host, " answers with status ",
           refusal.status, quoted(refusal),
           "; if HF_ENDPOINT or a proxy is set, see whether it serves the Hub");
  }
}

bool may_pass(CURLcode result) {
  switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SSL_CONNECT_ERROR:
      return true;
    default:
      return false;
  }
}

std::string why_broken(CURLcode result, const std::string& host, const std::string& detail,
                       bool connected, int stall_seconds) {
  switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
      if (connected)
        return host + " sent almost nothing for " + std::to_string(stall_seconds) + " s";
      return host + " did not answer";
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
      return host + " ended the connection too early";
    case CURLE_COULDNT_RESOLVE_HOST:
      return "no address is known for " + host;
    case CURLE_COULDNT_CONNECT:
      return "no connection to " + host + " (" + detail + ")";
    default:
      return host + ": " + (detail.empty() ? curl_easy_strerror(result) : detail);
  }
}

void fail_broken(const Subject& subject, CURLcode result, const std::string& why) {
  std::string cure =
      "is this machine online? A mirror can be named in HF_ENDPOINT, a proxy in "
      "https_proxy";
  switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      cure =
          "its certificate is not trusted here: is the package ca-certificates installed, is the "
          "clock right? A proxy that looks into connections needs its certificate in the system's "
          "store";
      break;
    case CURLE_SSL_CONNECT_ERROR:
      cure =
          "no encrypted connection could be made: if HF_ENDPOINT is set, should it begin with "
          "http:// instead?";
      break;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_WEIRD_SERVER_REPLY:
      cure = "is HF_ENDPOINT right?";
      break;
    default:
      break;
  }
  fail(Code::device_failure, subject.text(), ": ", why, "; ", cure);
}

}  // namespace janus
