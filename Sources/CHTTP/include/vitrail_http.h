#ifndef VITRAIL_HTTP_H
#define VITRAIL_HTTP_H
#include <stddef.h>

/// What came back from a server.
typedef struct {
    /// The HTTP status; 0 when none arrived.
    long status;
    /// The body, zero-terminated; never null after a call that returned 0.
    char *body;
    /// Bytes of the body.
    size_t length;
    /// Seconds of a Retry-After header; negative when there was none.
    double retry_after;
    /// libcurl's code when the transfer failed; 0 when it was complete.
    int failure;
    /// What went wrong, in words.
    char message[256];
} vitrail_http_response;

/// Whether a transfer is to end early: asked about once a second.
typedef struct {
    /// Answers other than 0 when it is; null: never.
    int (*is_asked)(void *context);
    void *context;
} vitrail_http_stop;

/// Whether libcurl could be loaded; `message` (of `capacity` bytes) says why not. Safe to call from many threads.
int vitrail_http_available(char *message, size_t capacity);

/// Posts `body` (of `length` bytes) to `url` with `header_count` headers, and waits for the answer.
///
/// Redirects are not followed, so that headers with keys go to the named server only. A body over `limit` bytes is a
/// failure, and so is a transfer that `stop` ended. Safe to call from many threads. Returns 0 when `response` was filled, -1 without libcurl or memory.
int vitrail_http_post(
    const char *url, const char *const *headers, size_t header_count, const char *body, size_t length,
    long timeout_milliseconds, long connect_milliseconds, size_t limit, vitrail_http_stop stop,
    vitrail_http_response *response);

/// Frees the body.
void vitrail_http_free(vitrail_http_response *response);
#endif
