package authn

import (
	"context"
	"encoding/base32"
	"errors"

	"github.com/pioneerdesk/tomkit/authn/totp"
)

// BeginTOTP offers a TOTP secret for the step token of an [Enrolment]. Asking again with the same step token gives the
// same secret, so a reloaded page does not invalidate a scanned QR code. The errors are [ErrStepToken] and wrapped errors
// of the store.
func (f *Flow) BeginTOTP(ctx context.Context, stepToken string, b Binding) (TOTPOffer, error) {
	s, a, err := f.find(ctx, stepToken, visit{binding: b, now: f.now()})
	if err != nil {
		return TOTPOffer{}, err
	}
	if s.objection(a, b, PurposeEnrolTOTP) != passed {
		// Refused with all formality: taking an attempt and leaving an entry.
		_, err := f.take(ctx, CodeRequest{StepToken: stepToken, Binding: b}, PurposeEnrolTOTP)
		if err == nil {
			err = ErrStepToken
		}
		return TOTPOffer{}, err
	}
	secret, err := f.offer(ctx, s)
	if err != nil {
		return TOTPOffer{}, err
	}
	defer clear(secret)
	uri, err := f.cfg.Codes.URI(f.cfg.Product, a.Email, secret)
	if err != nil {
		return TOTPOffer{}, wrap("enrol", err)
	}
	return TOTPOffer{Secret: base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret), URI: uri}, nil
}

// offer returns the secret the step token offers, making it the first time.
func (f *Flow) offer(ctx context.Context, s Step) ([]byte, error) {
	aad := SecretAAD(s.Tenant, s.User)
	sealed := s.Offered
	if sealed == "" {
		fresh, err := f.cfg.Codes.NewSecret()
		if err != nil {
			return nil, wrap("enrol", err)
		}
		sealed, err = f.cfg.Seal.Seal(fresh, aad)
		clear(fresh)
		if err != nil {
			return nil, wrap("enrol", err)
		}
		sealed, err = f.cfg.Store.OfferSecret(ctx, s.Tenant, s.Hash, sealed, f.now())
		if errors.Is(err, ErrConflict) {
			return nil, ErrStepToken
		}
		if err != nil {
			return nil, wrap("enrol", err)
		}
	}
	secret, err := f.cfg.Seal.Open(sealed, aad)
	if err != nil {
		return nil, wrap("enrol: secret", err)
	}
	return secret, nil
}

// ConfirmTOTP enrols the offered secret by a first code and finishes the sign-in. The code is consumed like any other.
// The errors are those of [Flow.TOTP]; without a [Flow.BeginTOTP] before it is [ErrStepToken].
func (f *Flow) ConfirmTOTP(ctx context.Context, r CodeRequest) (*Granted, error) {
	t, err := f.take(ctx, r, PurposeEnrolTOTP)
	if err != nil {
		return nil, err
	}
	if t.step.Offered == "" {
		return nil, f.reject(ctx, t.account, nothingOffered, t.visit)
	}
	return f.match(ctx, t, r.Code, TOTPFactor{Sealed: t.step.Offered, LastStep: totp.Never})
}
