package rls

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// ReasonOther stands for the purposes of System scopes that an [Accountant] has no room left to tell apart.
const ReasonOther Reason = "other"

// Defaults of [AccountantConfig], and the time a last attempt to store may take.
const (
	defaultAccountInterval = 15 * time.Second
	defaultMaxAccounts     = 1024
	finalStoreTimeout      = 10 * time.Second
)

// SystemAccount sums up the System scopes of one purpose that ended in one minute.
type SystemAccount struct {
	// Reason is their purpose.
	Reason Reason
	// From and Until bound the time, UTC: From is the start of a minute and Until that of the next one. They lie further
	// apart where minutes were merged, and Until is the present where the minute is not over.
	From, Until time.Time
	// Count is the number of scopes and Failed of those that were not committed.
	Count, Failed int64
	// Longest is the time the longest took, Total what all took together.
	Longest, Total time.Duration
}

// kept is an account on its way to be stored.
type kept struct {
	SystemAccount
	foreign bool // holds a scope that Store did not open itself
}

func (k *kept) add(use SystemUse) {
	k.Count++
	if use.Err != nil {
		k.Failed++
	}
	k.Longest = max(k.Longest, use.Took)
	k.Total += use.Took
}

// merge adds an account of the same purpose.
func (k *kept) merge(b kept) {
	if b.From.Before(k.From) {
		k.From = b.From
	}
	if b.Until.After(k.Until) {
		k.Until = b.Until
	}
	k.Count += b.Count
	k.Failed += b.Failed
	k.Longest = max(k.Longest, b.Longest)
	k.Total += b.Total
	k.foreign = k.foreign || b.foreign
}

// AccountantConfig says where accounts go. Store is needed.
type AccountantConfig struct {
	// Store keeps accounts, ordered by time, all or none. It may use System scopes with the ctx it is given: these are
	// accounted for too, but are not by themselves a reason to store anything. After an error the accounts are kept and
	// Store is called with them again; if it stored them in spite of its error, they are stored twice.
	Store func(ctx context.Context, accounts []SystemAccount) error
	// Interval is the time between two looks for minutes that are over. Zero means 15s; negative is an error.
	Interval time.Duration
	// MaxAccounts bounds how many accounts are kept while Store fails. Beyond it minutes of one purpose are merged, and
	// beyond that purposes under ReasonOther: precision is lost, no scope. Zero means 1,024; negative is an error.
	MaxAccounts int
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
	// Logger receives failures of Store, the first of several in a row. Nil means nobody.
	Logger *slog.Logger
}

// Accountant sums up System scopes by purpose and minute, so that a log has one entry for what may be thousands of scopes.
// Give its [Accountant.Account] to Config.Account and let it [Accountant.Run]. It is safe for concurrent use.
type Accountant struct {
	cfg AccountantConfig

	storing sync.Mutex // held while Store runs

	mu       sync.Mutex
	accounts map[accountKey]*kept
	failing  bool // the last Store failed
}

// accountKey is a purpose and the minute in which an account begins.
type accountKey struct {
	reason Reason
	from   int64 // Unix seconds
}

// NewAccountant returns an Accountant without accounts.
func NewAccountant(cfg AccountantConfig) (*Accountant, error) {
	switch {
	case cfg.Store == nil:
		return nil, errors.New("rls: account: Store is nil")
	case cfg.Interval < 0:
		return nil, errors.New("rls: account: Interval is negative")
	case cfg.MaxAccounts < 0:
		return nil, errors.New("rls: account: MaxAccounts is negative")
	}
	cfg.Interval = cmp.Or(cfg.Interval, defaultAccountInterval)
	cfg.MaxAccounts = cmp.Or(cfg.MaxAccounts, defaultMaxAccounts)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Accountant{cfg: cfg, accounts: map[accountKey]*kept{}}, nil
}

// storingKey is the context key of what an Accountant's own Store does.
type storingKey struct{ a *Accountant }

// Account adds one scope to its purpose's account of the present minute. It does not wait for Store.
func (a *Accountant) Account(ctx context.Context, use SystemUse) {
	a.mu.Lock()
	defer a.mu.Unlock()
	account := a.account(use.Reason, a.now().Truncate(time.Minute))
	account.add(use)
	account.foreign = account.foreign || ctx.Value(storingKey{a}) == nil
}

func (a *Accountant) now() time.Time { return a.cfg.Now().UTC() }

// account returns the account of a purpose in the minute from, and makes room for it where there is none.
func (a *Accountant) account(r Reason, from time.Time) *kept {
	fresh := kept{SystemAccount: SystemAccount{Reason: r, From: from, Until: from.Add(time.Minute)}}
	key := accountKey{r, from.Unix()}
	have := a.accounts[key]
	if have == nil && len(a.accounts) >= a.cfg.MaxAccounts {
		have = a.mergeMinutes()[r]
	}
	switch {
	case have != nil:
		have.merge(fresh) // the time
		return have
	case len(a.accounts) >= a.cfg.MaxAccounts && r != ReasonOther:
		return a.account(ReasonOther, from)
	}
	a.accounts[key] = &fresh
	return &fresh
}

// mergeMinutes leaves one account of each purpose and returns them.
func (a *Accountant) mergeMinutes() map[Reason]*kept {
	merged := map[Reason]*kept{}
	for _, each := range a.accounts {
		if sum := merged[each.Reason]; sum != nil {
			sum.merge(*each)
		} else {
			merged[each.Reason] = each
		}
	}
	clear(a.accounts)
	for _, sum := range merged {
		a.accounts[accountKey{sum.Reason, sum.From.Unix()}] = sum
	}
	return merged
}

// Run stores the accounts of minutes that are over until ctx ends, then all there are. It returns the error of the last
// Store: these accounts are lost with the process.
func (a *Accountant) Run(ctx context.Context) error {
	ticker := time.NewTicker(a.cfg.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalStoreTimeout)
			defer cancel()
			return a.Flush(ctx)
		case <-ticker.C:
			_ = a.store(ctx, false) // logged, and tried again
		}
	}
}

// Flush stores all accounts, also of the minute that is not over. Call it before the database is closed where Run did not
// run.
func (a *Accountant) Flush(ctx context.Context) error { return a.store(ctx, true) }

func (a *Accountant) store(ctx context.Context, all bool) error {
	a.storing.Lock()
	defer a.storing.Unlock()
	taken := a.take(all)
	if len(taken) == 0 {
		return nil
	}
	accounts := make([]SystemAccount, len(taken))
	for i := range taken {
		accounts[i] = taken[i].SystemAccount
	}
	err := a.cfg.Store(context.WithValue(ctx, storingKey{a}, true), accounts)
	if err != nil {
		a.putBack(taken)
		err = fmt.Errorf("rls: account: store: %w", err)
	}
	a.report(ctx, err, len(accounts))
	return err
}

// take removes the accounts of minutes that are over, or all, and returns them by time and purpose. It takes none if only
// Store itself has used scopes.
func (a *Accountant) take(all bool) (taken []kept) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, worth := a.now(), false
	due := func(k *kept) bool { return all || !k.Until.After(now) }
	for _, each := range a.accounts {
		worth = worth || due(each) && each.foreign
	}
	if !worth {
		return nil
	}
	for key, each := range a.accounts {
		if !due(each) {
			continue
		}
		delete(a.accounts, key)
		if each.Until.After(now) {
			each.Until = now
		}
		if each.Until.Before(each.From) { // the clock was set back
			each.Until = each.From
		}
		taken = append(taken, *each)
	}
	slices.SortFunc(taken, func(x, y kept) int {
		return cmp.Or(x.From.Compare(y.From), cmp.Compare(x.Reason, y.Reason))
	})
	return taken
}

// putBack keeps what could not be stored.
func (a *Accountant) putBack(taken []kept) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, each := range taken {
		a.account(each.Reason, each.From).merge(each)
	}
}

// report logs the first failure of several and the end of them.
func (a *Accountant) report(ctx context.Context, err error, accounts int) {
	a.mu.Lock()
	before := a.failing
	a.failing = err != nil
	a.mu.Unlock()
	switch {
	case err != nil && !before:
		a.cfg.Logger.WarnContext(ctx, "accounts of system scopes are kept until they can be stored", "accounts", accounts, "error", err.Error())
	case err == nil && before:
		a.cfg.Logger.InfoContext(ctx, "accounts of system scopes are stored again", "accounts", accounts)
	}
}
