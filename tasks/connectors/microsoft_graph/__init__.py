"""Microsoft Entra ID, read through Microsoft Graph. Read-only: nothing here changes the directory."""
