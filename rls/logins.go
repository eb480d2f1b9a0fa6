package rls

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Logins holds a connection string per login. They contain passwords.
type Logins struct {
	// App, MSP, System, Migrator and Backup connect as the role of that name.
	App, MSP, System, Migrator, Backup string
}

// URL returns the connection string of a login such as RoleApp, or "" for a role that is none.
func (l Logins) URL(role string) string {
	switch role {
	case RoleApp:
		return l.App
	case RoleMSP:
		return l.MSP
	case RoleSystem:
		return l.System
	case RoleMigrator:
		return l.Migrator
	case RoleBackup:
		return l.Backup
	}
	return ""
}

// String hides the connection strings.
func (Logins) String() string { return "Logins(hidden)" }

// GoString hides the connection strings.
func (l Logins) GoString() string { return l.String() }

func newLogins(superuserURL, superuserPassword string) (Logins, error) {
	var l Logins
	for role, to := range map[string]*string{RoleApp: &l.App, RoleMSP: &l.MSP, RoleSystem: &l.System,
		RoleMigrator: &l.Migrator, RoleBackup: &l.Backup} {
		password := ""
		if superuserPassword != "" {
			password = loginPassword(superuserPassword, role)
		}
		var err error
		if *to, err = asLogin(superuserURL, role, password); err != nil {
			return Logins{}, err
		}
	}
	return l, nil
}

// asLogin returns the connection string dsn, a URL or a keyword list, for another login.
func asLogin(dsn, role, password string) (string, error) {
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return fmt.Sprintf("%s user=%s password='%s'", dsn, role, password), nil // the last one of a keyword wins
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", errors.New("rls: roles: connection string is malformed")
	}
	u.User = url.User(role)
	if password != "" {
		u.User = url.UserPassword(role, password)
	}
	q := u.Query() // there, too, they would win
	q.Del("user")
	q.Del("password")
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// loginPassword derives a login's password from the superuser's.
func loginPassword(superuserPassword, role string) string {
	mac := hmac.New(sha256.New, []byte(superuserPassword))
	mac.Write([]byte(role))
	return hex.EncodeToString(mac.Sum(nil))
}

// scramIterations is PostgreSQL's own default. The passwords have 256 bits, so more would add nothing.
const scramIterations = 4096

// scramVerifier returns what PostgreSQL stores for SCRAM-SHA-256 (RFC 5802 §3, RFC 7677), so that the password itself is
// in no statement and no log. The salt is derived too: the verifier is always the same and need not be written twice.
func scramVerifier(role, password string) (string, error) {
	salt := sha256.Sum256([]byte("tomkit scram salt " + role + " " + password))
	salted, err := pbkdf2.Key(sha256.New, password, salt[:16], scramIterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("rls: roles: derive verifier: %w", err)
	}
	sum := func(text string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored := sha256.Sum256(sum("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, b64(salt[:16]), b64(stored[:]), b64(sum("Server Key"))), nil
}
