package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/sync/errgroup"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/boot"
	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

const (
	bootSecrets   = 50
	bootSamples   = 100
	bootLimit     = 150 * time.Millisecond // 95th percentile
	parallelReads = 8                      // as a boot has
)

// benchVault measures a whole boot (key flow, a user made and deleted, 50 secrets, the token revoked) from the fake, which runs in this
// process too, and what HashiCorp's client needs for the 50 reads alone, with a token that lies about.
func benchVault(ctx context.Context, r *reporter) error {
	manifest, stored := manySecrets()
	fake, err := vaulttest.Start(vaulttest.Config{Secrets: stored})
	if err != nil {
		return err
	}
	defer fake.Close()
	booting, err := bootCandidate(ctx, fake, manifest)
	if err != nil {
		return err
	}
	if err := bootPercentiles(r, booting); err != nil {
		return err
	}
	return r.cost("vault-boot-50", booting, staticToken(ctx, fake, manifest), target{})
}

func manySecrets() (vault.Manifest, map[string]map[string]string) {
	var manifest vault.Manifest
	stored := map[string]map[string]string{}
	for i := range bootSecrets {
		key := fmt.Sprintf("SECRET_%02d", i)
		manifest = append(manifest, vault.Requirement{Key: vault.Key(key), Format: vault.Text})
		stored[key] = map[string]string{"value": "a password of usual length " + key}
	}
	return manifest, stored
}

func bootCandidate(ctx context.Context, fake *vaulttest.Server, manifest vault.Manifest) (candidate, error) {
	key, err := stackit.ParseKey(fake.KeyFile(), nil)
	connection := wire.Config{Roots: fake.Roots()}
	cfg := boot.Config{
		Stackit: stackit.Config{
			Key: key, Project: fake.Project(), Instance: fake.Instance(), API: fake.URL(), TokenEndpoint: fake.TokenEndpoint(), Wire: connection,
		},
		KV: kv.Config{Wire: connection}, Manifest: manifest,
	}
	return candidate{"tomkit", func(n int) error {
		for range n {
			secrets, report, err := boot.Run(ctx, cfg)
			if err != nil {
				return err
			}
			secrets.Wipe()
			if len(report.Versions) != bootSecrets || len(fake.Users()) != 0 {
				return errors.New("a boot is not complete")
			}
		}
		return nil
	}}, err
}

// bootPercentiles takes single boots and compares their 95th percentile with the limit.
func bootPercentiles(r *reporter, booting candidate) error {
	samples := make([]float64, bootSamples)
	for i := range samples {
		start := time.Now()
		if err := booting.op(1); err != nil {
			return err
		}
		samples[i] = float64(time.Since(start))
	}
	slices.Sort(samples)
	p95 := samples[bootSamples*95/100-1]
	ratio := p95 / float64(bootLimit)
	verdict, goal := atMost(1).judge(ratio)
	_, err := fmt.Fprintf(r.out, "bench: vault-boot-50-p95(p50=%s) ours=%s peer=limit:%s ratio=%.2f target=%s %s\n",
		short(median(samples)), short(p95), short(float64(bootLimit)), ratio, goal, verdict)
	return err
}

// staticToken reads the same secrets with a new client each time, as a start does, and as many at once as a boot.
func staticToken(ctx context.Context, fake *vaulttest.Server, manifest vault.Manifest) candidate {
	return candidate{"hashicorp/vault/api(reads,static-token)", func(n int) error {
		for range n {
			if err := readAll(ctx, fake, manifest); err != nil {
				return err
			}
		}
		return nil
	}}
}

func readAll(ctx context.Context, fake *vaulttest.Server, manifest vault.Manifest) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: fake.Roots()}, MaxIdleConnsPerHost: parallelReads}
	defer transport.CloseIdleConnections()
	cfg := api.DefaultConfig()
	cfg.Address, cfg.HttpClient = fake.URL(), &http.Client{Transport: transport}
	client, err := api.NewClient(cfg)
	if err != nil {
		return err
	}
	client.SetToken(fake.RootToken())
	engine := client.KVv2(fake.Instance())
	var g errgroup.Group
	g.SetLimit(parallelReads)
	for _, required := range manifest {
		g.Go(func() error {
			secret, err := engine.Get(ctx, string(required.Key))
			if err == nil && secret.Data["value"] == nil {
				err = errors.New("a secret has no value")
			}
			return err
		})
	}
	return g.Wait()
}
