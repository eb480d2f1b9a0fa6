package session

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

const (
	// CookieName is the name of the access cookie.
	CookieName = "__Host-tomkit"
	// MaxAge is the lifetime of the access cookie: that of the token in it (TOM 1.2.3: 900 seconds).
	MaxAge = 15 * time.Minute
)

var (
	// ErrNone says that the request carries no credential.
	ErrNone = errors.New("session: no credential")
	// ErrAmbiguous says that the request carries more than one credential.
	ErrAmbiguous = errors.New("session: more than one credential")
	// ErrInvalid says that the credential is not a valid token. It wraps the verifier's reason, which is not for clients.
	ErrInvalid = errors.New("session: invalid token")
)

// Cookie returns the access cookie that holds token. Tell caches to keep nothing of the response that carries it, as
// [SetCookie] does.
func Cookie(token string) http.Cookie { return cookie(token, int(MaxAge/time.Second)) }

// ExpiredCookie returns the cookie that takes the access cookie from the browser. The session itself must be revoked as
// well: a copied token lives on.
func ExpiredCookie() http.Cookie { return cookie("", -1) }

// SetCookie gives the browser token, and tells caches to keep nothing of the response.
func SetCookie(w http.ResponseWriter, token string) { set(w, Cookie(token)) }

// ClearCookie takes the token from the browser; see [ExpiredCookie].
func ClearCookie(w http.ResponseWriter) { set(w, ExpiredCookie()) }

func set(w http.ResponseWriter, c http.Cookie) {
	w.Header().Set("Cache-Control", "no-store")
	http.SetCookie(w, &c)
}

func cookie(value string, maxAge int) http.Cookie {
	return http.Cookie{
		Name:     CookieName,
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		Secure:   true,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	}
}

// Read returns the token of a request and how it came in: ErrNone without one, ErrAmbiguous with more than one, ErrInvalid
// with an Authorization header that is not "Bearer <token>". The token is not checked.
func Read(r *http.Request) (string, Via, error) {
	cookies := cookieValues(r)
	headers := r.Header["Authorization"]
	switch {
	case len(cookies)+len(headers) == 0:
		return "", 0, ErrNone
	case len(cookies)+len(headers) > 1:
		return "", 0, ErrAmbiguous
	case len(cookies) == 1:
		if cookies[0] == "" {
			return "", 0, ErrNone // what a browser that ignores Max-Age=0 would send
		}
		return cookies[0], ViaCookie, nil
	}
	scheme, token, ok := strings.Cut(headers[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " ,\t") {
		return "", 0, ErrInvalid
	}
	return token, ViaBearer, nil
}

// space is what net/http takes away around a cookie.
const space = " \t\r\n"

// cookieValues returns every value the request gives the access cookie. net/http drops what it cannot parse, and with it
// the sign that somebody tried to send a second one, so the header is read as it came.
func cookieValues(r *http.Request) []string {
	var values []string
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(strings.Trim(pair, space), "=") // a name alone is one with an empty value
			if strings.TrimRight(name, space) == CookieName {
				values = append(values, value)
			}
		}
	}
	return values
}
