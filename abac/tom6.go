package abac

// Names of the four roles of TOM 1.3.1.
const (
	Superadmin  = "superadmin"
	TenantAdmin = "tenant_admin"
	Technician  = "technician"
	TenantUser  = "tenant_user"
)

// TOM6Permissions returns the permissions behind the table of TOM 1.3.1: its ten modules, the change advisory board of
// TOM 4.3, and the two resources only the operator has. There is deliberately no permission to write or delete the audit
// ledger and none to change or delete a command once given. A product appends its own.
func TOM6Permissions() []string {
	return []string{
		"monitoring:read", "monitoring:write", "monitoring:delete",
		"alerting:read", "alerting:write", "alerting:delete",
		"devices:read", "devices:write", "devices:delete",
		"cmdb:read", "cmdb:write", "cmdb:delete", "cmdb:export",
		"itsm:read", "itsm:write", "itsm:delete",
		"commands:read", "commands:execute",
		"audit:read", "audit:verify", "audit:export",
		"settings:read", "settings:write",
		"iam:read", "iam:write", "iam:delete",
		"msp:read", "msp:write", "msp:delete",
		"cab:read", "cab:approve",
		"tenants:read", "tenants:write", "tenants:delete",
		"platform:read", "platform:write",
	}
}

// TOM6Roles returns the four roles of TOM 1.3.1 as data. Where its table leaves room, they say:
//
//   - superadmin has full access, as the document writes. What bounds it is not a policy but the scope: it works in a tenant
//     only under a token issued for that tenant, so a [SameTenant] condition binds it like everybody else, and only a
//     superadmin may grant it.
//   - tenant_admin has every action on the ten modules and, as in the approval shown in TOM 3.3, decides in the change
//     advisory board. It has nothing on tenants and platform.
//   - technician has exactly the rights listed; "command execution" includes reading the commands given. The table gives
//     it neither devices nor CMDB, so it has neither, although tenant_user may read them: the roles are not a chain.
//   - tenant_user reads the ten modules. That it never writes, deletes or executes is stated as denies, so that no policy
//     granted to a person can undo it. Verifying and exporting the ledger are not reading.
func TOM6Roles() []Role {
	return []Role{
		{Name: Superadmin, Reserved: true, Policies: []string{"*:*"}},
		{Name: TenantAdmin, Policies: []string{
			"monitoring:*", "alerting:*", "devices:*", "cmdb:*", "itsm:*", "commands:*", "audit:*", "settings:*", "iam:*",
			"msp:*", "cab:*",
		}},
		{Name: Technician, Policies: []string{
			"monitoring:read", "alerting:read", "alerting:write", "itsm:read", "itsm:write", "commands:read",
			"commands:execute", "audit:read",
		}},
		{Name: TenantUser, Policies: []string{
			"monitoring:read", "alerting:read", "devices:read", "cmdb:read", "itsm:read", "commands:read", "audit:read",
			"settings:read", "iam:read", "msp:read", "!*:write", "!*:delete", "!*:execute",
		}},
	}
}
